"""Similarity transforms onto a template, the crops that they cut out, and what the detector finds."""

import keras
import numpy as np
import pytest
from clutter import placed_faces
from facezoo.datasets import alignment, detection
from facezoo.datasets.manifest import Cut
from facezoo.datasets.procedural import FACTOR_NAMES, LANDMARK_NAMES, face_landmarks, sample_factors
from PIL import Image
from skimage import data
from skimage.transform import SimilarityTransform

WANTED = alignment.template_points()


def similarity(degrees, scale, shift):
    """From sides of a crop to pixels, float64 [2, 3]."""
    cosine, sine = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])


def moved(points, matrix):
    return points @ matrix[:, :2].T + matrix[:, 2]


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


# The transform.


@pytest.mark.parametrize(("degrees", "scale", "shift"), [(0, 100, (0, 0)), (30, 40, (7, 90)), (-170, 999, (-5, 3))])
def test_a_similarity_is_found_again(degrees, scale, shift):
    matrix = similarity(degrees, scale, shift)
    found = alignment.crop_to_photograph(moved(WANTED, matrix), WANTED)
    np.testing.assert_allclose(found, matrix, atol=1e-9)
    np.testing.assert_allclose(alignment.align_points(moved(WANTED, matrix), matrix), WANTED, atol=1e-6)


def test_points_that_fit_no_similarity_are_met_in_the_mean():
    points = 100 * WANTED + np.random.default_rng(0).normal(0, 3, WANTED.shape)
    matrix = alignment.crop_to_photograph(points, WANTED)
    error = alignment.align_points(points, matrix) - WANTED
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=1e-6)  # as in every least-squares fit with a shift
    for change in (similarity(0.5, 1, (0, 0)), similarity(0, 1.01, (0, 0)), similarity(0, 1, (0.01, 0))):
        assert np.square(moved(WANTED + error, change) - WANTED).sum() > np.square(error).sum()


def test_several_faces_at_once_are_as_one_after_the_other_and_as_scikit_image_fits_them():
    points = 100 * WANTED + np.random.default_rng(1).normal(0, 8, (3, 5, 2))
    matrices = alignment.crop_to_photograph(points, WANTED)
    for face, matrix, places in zip(points, matrices, alignment.align_points(points, matrices), strict=True):
        np.testing.assert_allclose(matrix, alignment.crop_to_photograph(face, WANTED), atol=1e-9)
        to_crop = SimilarityTransform.from_estimate(face, WANTED).params
        np.testing.assert_allclose(matrix, np.linalg.inv(to_crop)[:2], atol=1e-6)
        np.testing.assert_allclose(places, alignment.align_points(face, matrix), atol=1e-6)


def test_a_mirrored_face_is_not_mirrored_back():
    matrix = alignment.crop_to_photograph(100 * (WANTED * (-1, 1) + (1, 0)), WANTED)
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)])
def test_points_that_are_no_face_s_are_refused(points):
    with pytest.raises(alignment.NoFaceError, match="points"):
        alignment.crop_to_photograph(points, WANTED)


def test_a_margin_shows_more():
    assert np.array_equal(alignment.template_points("celeba"), np.array(alignment.TEMPLATES["celeba"]))
    wide = alignment.template_points("celeba", margin=0.5)
    np.testing.assert_allclose(wide - 0.5, (alignment.template_points("celeba") - 0.5) / 2)


def test_facezoo_s_template_is_where_drawn_faces_have_their_points():
    factors = sample_factors(np.arange(20_000))
    landmarks = face_landmarks(factors)[np.abs(factors[:, FACTOR_NAMES.index("yaw")]) < 10]

    def middle(prefix):
        columns = [number for number, name in enumerate(LANDMARK_NAMES) if name.startswith(prefix)]
        return landmarks[:, columns].mean(axis=(0, 1))

    parts = ("right_eye", "left_eye", "nose_bridge_3", "outer_mouth_0", "outer_mouth_6")
    np.testing.assert_allclose(np.stack([middle(part) for part in parts]), WANTED, atol=0.003)


# The crop.


def test_the_whole_picture_is_itself():
    pixels = noise(40, 40)
    assert np.array_equal(alignment.cut(Image.fromarray(pixels), similarity(0, 40, (0, 0)), 40), pixels)


def test_a_quarter_turn_turns_the_pixels():
    pixels = noise(40, 40)
    crop = alignment.cut(Image.fromarray(pixels), similarity(90, 40, (40, 0)), 40)
    assert np.array_equal(crop, np.rot90(pixels))


def test_a_part_is_cut_out_where_it_lies():
    pixels = noise(90, 70)
    crop = alignment.cut(Image.fromarray(pixels), similarity(0, 30, (51, 13)), 30)
    assert np.array_equal(crop, pixels[13:43, 51:81])


def test_shrinking_does_not_alias():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 254
    crop = alignment.cut(Image.fromarray(stripes), similarity(10, 300, (60, 20)), 30)
    assert np.abs(crop.astype(int) - 127).max() <= 3


def test_one_picture_in_two_sizes_gives_one_crop():
    small = Image.fromarray(data.astronaut()).resize((256, 256), Image.Resampling.LANCZOS)
    crops = [
        alignment.cut(image, similarity(20, scale * 90, (scale * 90, scale * 20)), 64).astype(int)
        for image, scale in ((small, 1), (Image.fromarray(data.astronaut()), 2))
    ]
    assert np.abs(crops[0] - crops[1]).mean() < 3


def test_beyond_the_edge_a_picture_of_one_colour_stays_so():
    crop = alignment.cut(Image.new("RGB", (30, 30), (9, 200, 30)), similarity(33, 80, (0, -35)), 50)
    assert np.array_equal(np.unique(crop.reshape(-1, 3), axis=0), [[9, 200, 30]])


def test_gray_is_luma():
    photograph = Image.fromarray(noise(40, 40))
    crop = alignment.cut(photograph, similarity(0, 40, (0, 0)), 40, channels=1)
    assert np.array_equal(crop[..., 0], np.asarray(photograph.convert("L")))


@pytest.mark.parametrize("matrix", [similarity(0, 50, (500, 0)), similarity(0, 50, (0, -70)), similarity(0, 1, (9, 9))])
def test_a_crop_of_nothing_is_refused(matrix):
    with pytest.raises(alignment.NoFaceError, match="outside of the picture"):
        alignment.cut(Image.new("RGB", (40, 40)), matrix, 32)


def test_a_crop_far_larger_than_the_picture_costs_no_more_memory_than_the_picture():
    crop = alignment.cut(Image.new("RGB", (40, 40), "white"), similarity(0, 1e7, (-5e6, -5e6)), 32)
    assert crop.shape == (32, 32, 3)


# The detector.


@pytest.fixture
def astronaut():
    pytest.importorskip("mtcnn")
    return Image.fromarray(data.astronaut())


def test_a_face_is_found_where_it_is_at_every_size(astronaut):
    [face] = detection.find_faces(astronaut)
    np.testing.assert_allclose(face.points[:2], [[204, 101], [246, 103]], atol=4)  # the eyes, by hand
    assert face.confidence > 0.9
    left, top, width, height = face.box
    inside = (face.points > (left, top)) & (face.points < (left + width, top + height))
    assert inside.all()
    for scale in (0.5, 4):
        larger = astronaut.resize((int(512 * scale), int(512 * scale)), Image.Resampling.LANCZOS)
        np.testing.assert_allclose(detection.largest_face(larger).points / scale, face.points, atol=3)


def test_networks_of_the_detector_are_traced_once_for_all_sizes(astronaut, monkeypatch):
    """Layer by layer they take four times as long."""
    for side in (320, 400):  # the second trace is for any size
        detection._detect(astronaut.resize((side, side)), 0.0)
    times = []
    original = keras.layers.PReLU.call
    monkeypatch.setattr(keras.layers.PReLU, "call", lambda *arguments: times.append(1) or original(*arguments))
    for side in (340, 360):
        assert len(detection._detect(astronaut.resize((side, side)), 0.0)) == 1
    assert not times


def test_the_largest_of_several_comes_first(astronaut):
    both = Image.new("RGB", (900, 512), "gray")
    both.paste(astronaut.resize((300, 300)), (0, 100))
    both.paste(astronaut, (388, 0))
    faces = detection.find_faces(both)
    assert len(faces) == 2
    assert faces[0].area > 2 * faces[1].area
    assert faces[0].points[0, 0] > 388 > faces[1].points[0, 0]


@pytest.mark.parametrize("size", [(1, 1), (400, 3), (300, 300)])
def test_where_there_is_no_face_none_is_found(size):
    pytest.importorskip("mtcnn")
    with pytest.raises(alignment.NoFaceError, match="no face found"):
        detection.largest_face(Image.new("RGB", size, "gray"))


def found_and_error(count, size):
    """Of drawn faces on clutter, the share that is found, and the median distance of aligned eyes from the template."""
    pytest.importorskip("mtcnn")
    errors = []
    for placed in placed_faces(range(0, 2_000, 2_000 // count)):
        picture = placed.picture.resize((size, size), Image.Resampling.BICUBIC)
        for face in detection.find_faces(picture)[:1]:
            points = face.points * (placed.picture.width / size)
            aligned = alignment.align_points(placed.eyes, Cut().matrix(points))
            errors.append(np.linalg.norm(aligned - WANTED[:2], axis=1).mean())
    is_found = np.array(errors) < 0.15  # and not some clutter
    return is_found.sum() / count, np.median(errors)


def test_drawn_faces_on_clutter_are_found_and_aligned():
    share, error = found_and_error(10, size=320)  # what a photograph is brought to at least
    assert share >= 0.9
    assert error < 0.04


@pytest.mark.long
def test_two_hundred_drawn_faces_on_clutter_are_found_and_aligned():
    share, error = found_and_error(200, size=512)
    assert share >= 0.95
    assert error < 0.04
