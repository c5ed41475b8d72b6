"""`facezoo make-morph`: one film through several faces."""

import numpy as np
import pytest
from command_line import assert_refused
from facezoo.films import probe, read_frames

pytestmark = pytest.mark.usefixtures("empty_folder")
FACES = ("test:3", "test:5", "test:8")
SMALL = ("--size=32", "--seconds=0.25", "--fps=8")


@pytest.mark.parametrize(("flags", "count"), [((), 5), (("--closed",), 6)], ids=["open", "closed"])
def test_a_film_goes_through_all_faces(command, empty_folder, flags, count):
    path = empty_folder / "new" / "film.mp4"
    done = command("make-morph", *FACES, *SMALL, *flags, f"--out={path}")
    assert done.code == 0, done.err
    assert done.out.split() == [str(path)]
    film = probe(path)
    frames = np.stack([*read_frames(film)]).astype(float)
    assert len(frames) == count
    assert film.frames_per_second == 8
    assert np.abs(frames[0] - frames[2]).mean() > 5.0  # another face


def test_what_makes_no_film_is_refused_in_one_line(command, tmp_path):
    there = tmp_path / "there.mp4"
    there.write_text("mine")
    assert_refused(command("make-morph", "test:3", "--out=film.mp4"), "two photographs")
    assert_refused(command("make-morph", *FACES, "--out=film"), "--out=film", "call it film.mp4")
    assert_refused(command("make-morph", *FACES, f"--out={there}"), "there.mp4 exists")
    assert_refused(command("make-morph", *FACES), "--out")
    assert_refused(command("make-morph", "test:3", "none.jpg", "--out=film.mp4"), "none.jpg: no such file")
    assert_refused(command("make-morph", *FACES, "--seconds=60", "--fps=60", "--out=film.mp4"), "--size=512 may have")
    assert there.read_text() == "mine"
