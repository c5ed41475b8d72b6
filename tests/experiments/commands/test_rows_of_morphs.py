"""The row of a morph stays as wide as a screen."""

import numpy as np
import pytest
from command_line import read_png
from facezoo.experiments.codes.morphing import MOST_ROW, choose_columns, save_morph


@pytest.mark.parametrize(("count", "most", "columns"), [(10, 40, 10), (24, 10, 8), (11, 10, 6), (3, 0, 1)])
def test_rows_are_about_as_long(count, most, columns):
    assert choose_columns(count, most) == columns


def test_many_frames_are_wrapped_into_rows(tmp_path):
    save_morph(tmp_path, np.zeros((24, 256, 256, 3), np.float32), "24 frames")
    assert read_png(tmp_path / "row.png")[0].shape == (3 * 256, 8 * 256, 3)
    assert MOST_ROW >= 8 * 256
