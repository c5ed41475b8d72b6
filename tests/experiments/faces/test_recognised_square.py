"""Where the recogniser looks: known of CelebA and of aligned crops, and of nothing else."""

import numpy as np
import pytest
from command_line import photographs_in
from facezoo.datasets.alignment import TEMPLATES
from facezoo.datasets.folder import folder
from facezoo.datasets.manifest import Cut
from facezoo.datasets.origins import face_square, find_celeba_cut
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.faces.origins import recognise_square
from facezoo.experiments.flags.groups import DataSettings

# The square of side 54 around (44.5, 66) of CelebA's pictures at half size, 89 x 109.
LEFT, TOP, SIDE = 44.5 - 27, 66 - 27, 54


@pytest.mark.parametrize(
    ("size", "crop", "expected"),
    [
        ((89, 109), (8, 18, 74, 74), ((LEFT - 8) / 74, (TOP - 18) / 74, SIDE / 74)),
        ((178, 218), (16, 36, 148, 148), ((LEFT - 8) / 74, (TOP - 18) / 74, SIDE / 74)),
        ((89, 109), (17, 39, 54, 54), (0.5 / 54, 0, 1)),
        ((89, 109), None, (LEFT / 89, (TOP - 10) / 89, SIDE / 89)),
    ],
)
def test_crops_of_celeba(size, crop, expected):
    np.testing.assert_allclose(face_square(find_celeba_cut(size, crop)), expected, atol=1e-6)
    assert find_celeba_cut((90, 109), crop) is None


def test_a_crop_with_a_margin_shows_the_square_smaller_in_its_middle():
    left, top, side = face_square(Cut("celeba"))
    found = face_square(Cut("celeba", margin=0.5))
    np.testing.assert_allclose(found, (0.25 + left / 2, 0.25 + top / 2, side / 2), atol=1e-6)


def test_drawn_faces_lie_in_it_as_real_ones_do():
    def eyes(template, square):
        points = np.array(TEMPLATES[template])
        return (points[:2].mean(axis=0) - square[:2]) / square[2]

    there, here = (eyes(template, np.array(face_square(Cut(template)))) for template in ("celeba", "facezoo"))
    np.testing.assert_allclose(here, there, atol=0.05)
    assert recognise_square(DataSettings(), procedural_faces("test", image_size=32)) == face_square(Cut())


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(("size", "is_known"), [((89, 109), True), ((100, 120), False)])
def test_a_folder_of_photographs_tells_by_their_size_only(tmp_path, size, is_known):
    place = photographs_in(tmp_path / "photographs", 30, size)
    source = folder("train", image_size=32, data_dir=place)
    found = recognise_square(DataSettings(dataset="folder", data_dir=str(place)), source)
    assert (found is not None) == is_known
