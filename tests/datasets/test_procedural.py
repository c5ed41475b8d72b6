"""Drawn faces: pure, true to their factors, landmarks where the drawing has them, found by a face detector."""

import logging
import warnings

import numpy as np
import pytest
from facezoo.datasets import procedural
from facezoo.datasets.drawing.geometry import Face
from facezoo.datasets.drawing.picture import new_canvas
from facezoo.datasets.drawing.surface import solve_surface
from facezoo.datasets.procedural import (
    ATTRIBUTE_NAMES,
    DISCRETE_FACTORS,
    FACTOR_NAMES,
    FACTOR_RANGES,
    LANDMARK_NAMES,
    draw_faces,
    face_attributes,
    face_landmarks,
    procedural_faces,
    procedural_people,
    sample_factors,
)
from facezoo.datasets.source import DatasetError, Source, with_attributes

# An open face under a hair style that shows every hair factor; what differs is given by name.
PLAIN = {
    "hair_style": 1,
    "hair_colour": 0.3,
    "skin_tone": 0.3,
    "eye_colour": 0.6,
    "age": 30,
    "eyes_open": 0.9,
    "light_y": -0.4,
    "light_strength": 0.5,
    "background_saturation": 0.4,
    "background_brightness": 0.6,
    "background_shift": 0.3,
    "clothes_brightness": 0.5,
}


def plain_faces(**values) -> np.ndarray:
    """PLAIN with some values changed, each a number or a list of n -> factors [n, F]."""
    chosen = PLAIN | values
    count = max(np.size(value) for value in chosen.values())
    factors = np.zeros((count, len(FACTOR_NAMES)), np.float32)
    for name, value in chosen.items():
        factors[:, FACTOR_NAMES.index(name)] = value
    return factors


def landmarks_of(factors: np.ndarray, *names: str) -> np.ndarray:
    return face_landmarks(factors)[:, [LANDMARK_NAMES.index(name) for name in names]]


def colours_at(pictures: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pixels [n, L, 3] under points [n, L, 2]."""
    places = np.clip((points * pictures.shape[1]).astype(int), 0, pictures.shape[1] - 1)
    return pictures[np.arange(len(pictures))[:, None], places[..., 1], places[..., 0]].astype(float)


def test_a_picture_is_a_function_of_its_position_alone():
    load = procedural_faces("train").load
    both, turned, alone = load(np.array([5, 7])), load(np.array([7, 5])), load(np.array([5]))
    for key in both:
        np.testing.assert_array_equal(both[key][0], turned[key][1], err_msg=key)
        np.testing.assert_array_equal(both[key][0], alone[key][0], err_msg=key)


def test_a_long_batch_gives_the_same_pictures_as_single_ones():
    factors = sample_factors(np.arange(0, 400, 9))
    together = draw_faces(factors, 48)
    one_by_one = np.concatenate([draw_faces(row[None], 48) for row in factors])
    np.testing.assert_array_equal(together, one_by_one)


def test_the_seed_changes_the_people():
    indices = np.arange(10)
    np.testing.assert_array_equal(sample_factors(indices, seed=3), sample_factors(indices, seed=3))
    assert (np.abs(sample_factors(indices, seed=3) - sample_factors(indices, seed=4)).max(axis=0) > 0).mean() > 0.9


def test_the_people_stay_who_they_are_from_version_to_version():
    face = dict(zip(FACTOR_NAMES, sample_factors(np.array([12345]), seed=7)[0], strict=True))
    known = {"face_width": 0.14180653, "age": 74.867615, "hair_style": 6.0, "eye_colour": 0.34374046}
    known |= {"smile": 0.58291316, "yaw": 9.320013, "light_x": 0.42327401, "background_hue": 0.69844329}
    np.testing.assert_allclose([face[name] for name in known], list(known.values()), rtol=1e-6)


def test_sampled_factors_fill_their_ranges_and_keep_within():
    factors = sample_factors(np.arange(24_000))
    low, high = np.array([FACTOR_RANGES[name] for name in FACTOR_NAMES], np.float32).T
    assert factors.dtype == np.float32
    assert (factors >= low).all() and (factors <= high).all()
    assert (np.ptp(factors, axis=0) > 0.85 * (high - low)).all()


def test_discrete_factors_are_whole_numbers():
    factors = sample_factors(np.arange(5_000))
    for name in DISCRETE_FACTORS:
        column = factors[:, FACTOR_NAMES.index(name)]
        np.testing.assert_array_equal(np.unique(column), np.arange(FACTOR_RANGES[name][1] + 1), err_msg=name)


def test_most_poses_are_small_and_some_are_large():
    yaw = np.abs(sample_factors(np.arange(20_000))[:, FACTOR_NAMES.index("yaw")])
    assert np.median(yaw) < 15.0
    assert yaw.max() > 40.0


@pytest.mark.parametrize(
    ("split", "first", "count"), [("train", 0, 20_000), ("validation", 20_000, 2_000), ("test", 22_000, 2_000)]
)
def test_splits_are_ranges_of_indices(split, first, count):
    source = procedural_faces(split, image_size=32)
    assert len(source) == count and source.names[0] == str(first)
    examples = source.load(np.array([0, count - 1]))
    np.testing.assert_array_equal(examples["identity"], [first // 10, (first + count - 1) // 10])
    np.testing.assert_array_equal(examples["factors"], sample_factors(np.array([first, first + count - 1])))


def test_shapes_and_types_are_those_of_a_source():
    source = procedural_faces("test", image_size=40)
    examples = source.load(np.arange(3))
    assert source.image_shape == (40, 40, 3)
    assert examples["image"].shape == (3, 40, 40, 3) and examples["image"].dtype == np.uint8
    assert examples["attributes"].shape == (3, len(source.attribute_names)) == (3, len(ATTRIBUTE_NAMES))
    assert examples["landmarks"].shape == (3, len(source.landmark_names), 2) == (3, len(LANDMARK_NAMES), 2)
    assert examples["factors"].shape == (3, len(source.factor_names)) == (3, len(FACTOR_NAMES))
    assert examples["identity"].dtype == np.int32
    assert all(examples[key].dtype == np.float32 for key in ("attributes", "landmarks", "factors"))


def test_no_pictures_are_no_error():
    assert procedural_faces("test").load(np.array([], np.int64))["image"].shape == (0, 64, 64, 3)


def test_gray_pictures_are_the_luma_of_the_coloured():
    colour = procedural_faces("test", channels=3).load(np.arange(4))["image"]
    gray = procedural_faces("test", channels=1).load(np.arange(4))["image"]
    assert gray.shape == (4, 64, 64, 1)
    np.testing.assert_allclose(gray[..., 0], colour @ np.array([0.299, 0.587, 0.114]), atol=0.51)


def test_a_person_keeps_the_face_and_changes_the_picture():
    factors = sample_factors(np.arange(200)).reshape(20, 10, -1)
    varies = (np.ptp(factors, axis=1) > 0).any(axis=0)
    of_person = np.array([procedural.FACTORS[name].of_person for name in FACTOR_NAMES])
    np.testing.assert_array_equal(varies, ~of_person)
    assert len(np.unique(factors[:, 0, FACTOR_NAMES.index("jaw_width")])) == 20


def test_every_attribute_is_neither_rare_nor_common():
    attributes = face_attributes(sample_factors(np.arange(24_000)))
    assert set(np.unique(attributes)) == {0.0, 1.0}
    for name, rate in zip(ATTRIBUTE_NAMES, attributes.mean(axis=0), strict=True):
        assert 0.02 < rate < 0.98, f"{name}: {rate:.3f}"


def test_glasses_and_beards_are_about_as_frequent_as_meant():
    factors = sample_factors(np.arange(24_000))
    worn = (factors[:, FACTOR_NAMES.index("glasses")] > 0).mean()
    bearded = (factors[:, FACTOR_NAMES.index("beard")] > 0).mean()
    assert 0.22 < worn < 0.28
    assert 0.18 < bearded < 0.32


@pytest.mark.parametrize("name", FACTOR_NAMES)
def test_every_factor_changes_the_picture(name):
    low, high = FACTOR_RANGES[name]
    # Not the whole range: a hue comes back to where it began.
    other = high if name in DISCRETE_FACTORS else low + 0.7 * (high - low)
    faces = plain_faces(**{name: [low, other]})
    first, second = draw_faces(faces, 64).astype(float)
    assert np.abs(first - second).max() > 12.0


@pytest.mark.parametrize("name", ["light_x", "light_strength", "skin_tone", "hair_style", "background_hue", "glasses"])
def test_what_does_not_move_the_face_moves_no_landmark(name):
    first, second = face_landmarks(plain_faces(**{name: list(FACTOR_RANGES[name])}))
    np.testing.assert_array_equal(first, second)


def test_landmarks_stay_in_the_picture_and_in_order():
    points = face_landmarks(sample_factors(np.arange(5_000)))
    assert len(LANDMARK_NAMES) >= 68
    assert points.min() > 0.0 and points.max() < 1.0
    frontal = face_landmarks(plain_faces())[0]
    assert (np.diff(frontal[:17, 0]) > 0).all(), "the jaw runs from the picture's left to its right"
    assert frontal[36, 0] < frontal[39, 0] < frontal[42, 0] < frontal[45, 0], "eye corners from left to right"
    assert frontal[19, 1] < frontal[37, 1] < frontal[30, 1] < frontal[51, 1] < frontal[57, 1] < frontal[8, 1]


def test_mouth_landmarks_surround_the_lips():
    faces = plain_faces(skin_tone=0.15, yaw=np.linspace(-30, 30, 7), roll=np.linspace(-15, 15, 7))
    pictures = draw_faces(faces, 256)
    upper = landmarks_of(faces, "outer_mouth_3", "inner_mouth_2").mean(axis=1, keepdims=True)
    lower = landmarks_of(faces, "outer_mouth_9", "inner_mouth_6").mean(axis=1, keepdims=True)
    cheek = landmarks_of(faces, "outer_mouth_9", "jaw_8").mean(axis=1, keepdims=True)

    def redness(points):
        colours = colours_at(pictures, points)
        return colours[..., 0] / colours[..., 1]

    assert (redness(upper) > redness(cheek) + 0.1).all()
    assert (redness(lower) > redness(cheek) + 0.1).all()


def test_opening_the_mouth_changes_the_lower_face_only():
    faces = plain_faces(mouth_open=[0.0, 0.6])
    changed = np.abs(np.diff(draw_faces(faces, 128).astype(float), axis=0)[0]).max(axis=-1)
    top = landmarks_of(faces, "outer_mouth_3")[:, 0, 1].min()
    eyes = landmarks_of(faces, "right_eye_4")[:, 0, 1].max()
    rows = (np.arange(128) + 0.5) / 128
    assert changed[rows < eyes + 0.02].max() < 12.0
    assert changed[rows > top].max() > 60.0


def test_pupils_are_where_the_landmarks_say():
    faces = plain_faces(gaze_x=np.linspace(-1, 1, 9), yaw=np.linspace(30, -30, 9), pitch=np.linspace(-10, 10, 9))
    pupils = landmarks_of(faces, "right_pupil", "left_pupil")
    assert colours_at(draw_faces(faces, 256), pupils).mean() < 45.0


def test_brow_landmarks_are_darker_than_the_forehead():
    faces = plain_faces(skin_tone=0.1, hair_colour=0.1, yaw=np.linspace(-25, 25, 5))
    brows = landmarks_of(faces, "right_brow_2", "left_brow_2")
    pictures = draw_faces(faces, 256)
    assert (colours_at(pictures, brows).mean(-1) < 0.7 * colours_at(pictures, brows - [0.0, 0.05]).mean(-1)).all()


def test_the_jaw_lies_on_the_outline_of_the_head():
    """At any pose the jaw's points are where the drawing's own outline, `rim` = 1, runs."""
    faces = plain_faces(
        hair_style=0, yaw=np.linspace(-45, 45, 7), pitch=np.linspace(-20, 20, 7), roll=np.linspace(-20, 20, 7)
    )
    points = face_landmarks(faces)[:, [1, 2, 4, 12, 14, 15], :]
    canvas = new_canvas(faces, 256)
    at = np.clip((points * 256).astype(int), 0, 255)
    rim = canvas.surface.rim[np.arange(len(faces))[:, None], at[..., 1], at[..., 0]]
    np.testing.assert_allclose(rim, 1.0, atol=0.02)


def test_turning_moves_the_nose_towards_the_turn_and_the_far_eye_closer():
    left, right = plain_faces(yaw=-30), plain_faces(yaw=30)
    nose, eyes = landmarks_of(right, "nose_bridge_3"), landmarks_of(right, "right_eye_0", "left_eye_3")
    assert nose[0, 0, 0] > landmarks_of(left, "nose_bridge_3")[0, 0, 0] + 0.1
    assert nose[0, 0, 0] - eyes[0, 0, 0] > 1.5 * (eyes[0, 1, 0] - nose[0, 0, 0])


def test_the_same_face_at_two_sizes_is_the_same_picture():
    factors = sample_factors(np.arange(0, 600, 19))
    small = draw_faces(factors, 64).astype(float)
    large = draw_faces(factors, 128).astype(float).reshape(-1, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - large).mean() < 2.0


@pytest.mark.parametrize("image_size", [32, 100, 256])
def test_other_sizes_draw(image_size):
    pictures = procedural_faces("test", image_size=image_size).load(np.arange(2))["image"]
    assert pictures.shape == (2, image_size, image_size, 3) and pictures.std() > 20.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "training"}, ["'training'", "train, validation, test"]),
        ({"split": "test", "image_size": 31}, ["image_size", "31", "32", "256"]),
        ({"split": "test", "image_size": 512}, ["image_size", "512", "32", "256"]),
        ({"split": "test", "channels": 2}, ["channels", "2", "1", "3"]),
    ],
)
def test_a_bad_argument_is_named_in_one_line(arguments, words):
    with pytest.raises(DatasetError) as error:
        procedural_faces(**arguments)
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


# A few people.

# Each of them is filmed in one place.
PLACE = np.isin(
    FACTOR_NAMES,
    [
        *("glasses", "clothes_hue", "clothes_brightness", "background_hue", "background_saturation"),
        *("background_brightness", "background_pattern", "background_shift"),
    ],
)
OF_PERSON = np.array([procedural.FACTORS[name].of_person for name in FACTOR_NAMES]) | PLACE


def factors_of(split: str, count: int, **options) -> np.ndarray:
    """Factors [count, people, F] of the first pictures of everyone."""
    source = procedural_people(split, image_size=32, **options)
    people = len(source.identity_names)
    # The pictures themselves take most of the time, and their factors do not need them.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(procedural, "draw_faces", lambda factors, size: np.zeros((len(factors), size, size, 3), np.uint8))
        return source.load(np.arange(count * people))["factors"].reshape(count, people, -1)


@pytest.mark.parametrize(
    ("split", "first", "count"), [("train", 0, 4000), ("validation", 4000, 500), ("test", 4500, 500)]
)
@pytest.mark.parametrize("people", [2, 3])
def test_everyone_has_as_many_pictures_in_turn(split, first, count, people):
    source = procedural_people(split, image_size=32, people=people)
    assert len(source) == count * people
    assert source.identity_names == tuple(f"person_{number}" for number in range(people))
    assert source.names[people + 1] == f"person_1/{first + 1}"
    examples = source.load(np.array([0, 1, people, len(source) - 1]))
    assert examples["identity"].dtype == np.int32
    np.testing.assert_array_equal(examples["identity"], [0, 1, 0, people - 1])


def test_people_keep_faces_and_places_in_all_splits_and_no_picture_comes_twice():
    factors = np.concatenate([factors_of(split, 500, people=3) for split in ("train", "validation", "test")])
    assert (np.ptp(factors[..., OF_PERSON], axis=0) == 0.0).all()
    assert (np.ptp(factors[..., ~OF_PERSON], axis=0) > 0.0).all()
    assert len(np.unique(factors[..., ~OF_PERSON].reshape(-1, (~OF_PERSON).sum()), axis=0)) == 1500 * 3


def test_a_picture_says_nothing_about_the_person():
    factors = factors_of("train", 4000)[..., ~OF_PERSON].astype(float)
    means, deviations = factors.mean(axis=0), factors.std(axis=0)
    error = np.sqrt((deviations**2).sum(axis=0) / 4000)
    assert (np.abs(means[0] - means[1]) < 3.5 * error).all()
    first, second = ((factors[:, person] - means[person]) / deviations[person] for person in (0, 1))
    assert np.abs(first.T @ second / 4000).max() < 0.07


def test_everyone_is_somewhere_else():
    places = factors_of("test", 1, people=20)[0][:, PLACE]
    assert (places.std(axis=0) > 0.0).all()
    assert len(np.unique(places, axis=0)) == 20


def test_the_people_are_none_of_the_other_data_set():
    others = sample_factors(np.arange(24_000))
    people = factors_of("train", 200, people=20).reshape(-1, len(FACTOR_NAMES))
    for part in (OF_PERSON, ~OF_PERSON):
        rows = {row.tobytes() for row in others[:, part]}
        assert not rows & {row.tobytes() for row in people[:, part]}
    assert len(np.unique(people[:, OF_PERSON], axis=0)) == 20


def test_more_people_change_nothing_about_the_first():
    np.testing.assert_array_equal(factors_of("validation", 9, people=7)[:, :3], factors_of("validation", 9, people=3))


@pytest.mark.parametrize("seed", [0, 1, 2, 17])
def test_the_first_two_look_different_in_every_world(seed):
    attributes = face_attributes(factors_of("test", 1, seed=seed)[0])
    first, second = (dict(zip(ATTRIBUTE_NAMES, row, strict=True)) for row in attributes)
    assert first["long_hair"] and first["young"] and not first["gray_hair"]
    assert second["gray_hair"] and not second["long_hair"] and not second["young"]
    for hidden_by in ("beard", "mustache", "eyeglasses"):
        assert not first[hidden_by] and not second[hidden_by]


def test_people_are_drawn_as_the_other_faces_are():
    source = procedural_people("test", image_size=40, channels=1)
    examples = source.load(np.arange(4))
    colour = draw_faces(examples["factors"], 40)
    np.testing.assert_array_equal(examples["image"], procedural.gray(colour))
    np.testing.assert_array_equal(examples["landmarks"], face_landmarks(examples["factors"]))
    np.testing.assert_array_equal(examples["attributes"], face_attributes(examples["factors"]))
    assert (source.name, source.image_shape) == ("procedural_people/test", (40, 40, 1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"people": 1}, ["people 2 to 100, not 1"]),
        ({"people": 101}, ["people 2 to 100, not 101"]),
        ({"image_size": 16}, ["procedural_people", "image_size 32 to 256, not 16"]),
    ],
)
def test_a_bad_number_of_people_or_pixels_is_named(options, words):
    with pytest.raises(DatasetError) as error:
        procedural_people("train", **options)
    assert all(word in str(error.value) for word in words) and "\n" not in str(error.value)


# What a source says about its columns.


@pytest.mark.parametrize("function", [procedural_faces, procedural_people])
def test_the_ranges_of_the_factors_are_told(function):
    source = function("test", image_size=32)
    ranges = dict(zip(source.factor_names, source.factor_ranges, strict=True))
    assert ranges["age"] == (18.0, 80.0, 0)
    assert ranges["glasses"] == (0.0, 4.0, 5)
    assert {name for name, (_, _, choices) in ranges.items() if choices} == set(DISCRETE_FACTORS)


def test_chosen_attributes_come_alone_and_in_the_order_asked_for():
    source = procedural_faces("test", image_size=32)
    chosen = with_attributes(source, ["young", "smiling"])
    assert chosen.attribute_names == ("young", "smiling")
    positions = np.arange(40)
    attributes = source.load(positions)["attributes"]
    columns = [ATTRIBUTE_NAMES.index("young"), ATTRIBUTE_NAMES.index("smiling")]
    np.testing.assert_array_equal(chosen.load(positions)["attributes"], attributes[:, columns])
    assert source.attribute_names == ATTRIBUTE_NAMES and chosen.name == source.name


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["young", "smilling"],
            "no attribute 'smilling' in procedural_faces/test; did you mean 'smiling'.* there are smi",
        ),
        (["zzz"], "no attribute 'zzz' in procedural_faces/test; there are smiling, "),
        (["young", "young"], "'young' .* twice"),
        ([], "name some of smiling, "),
    ],
)
def test_an_unknown_attribute_is_named_with_what_there_is(names, message):
    with pytest.raises(DatasetError, match=message):
        with_attributes(procedural_faces("test", image_size=32), names)


def test_a_source_without_attributes_has_none_to_choose():
    source = Source("plain/train", ["0"], lambda positions: {}, (4, 4, 3))
    with pytest.raises(DatasetError, match="plain/train has no attributes"):
        with_attributes(source, ["smiling"])


def detect(count: int) -> tuple[float, float]:
    """Share of drawn faces (|yaw| < 25) that MTCNN finds exactly once, and its median error in eye distances."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = pytest.importorskip("mtcnn").MTCNN()
        factors = sample_factors(np.arange(0, 8 * count, 3))
        factors = factors[np.abs(factors[:, FACTOR_NAMES.index("yaw")]) < 25][:count]
        found = [detector.detect_faces(picture) for picture in draw_faces(factors, 128)]
    assert len(factors) == count
    errors = [
        keypoint_error(face[0]["keypoints"], row) for face, row in zip(found, factors, strict=True) if len(face) == 1
    ]
    return len(errors) / count, float(np.median(errors))


def keypoint_error(found: dict[str, tuple[int, int]], row: np.ndarray) -> float:
    """Mean distance of the five key points from the true ones, in distances between the eyes."""
    true = landmarks_of(row[None], "right_pupil", "left_pupil", "nose_bridge_3", "outer_mouth_0", "outer_mouth_6")[0]
    # The detector's left is the picture's; it counts whole pixels down.
    points = np.array([found[key] for key in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")]) + 0.5
    return float(np.linalg.norm(points / 128.0 - true, axis=1).mean() / np.linalg.norm(true[0] - true[1]))


def test_a_face_detector_finds_the_faces():
    rate, error = detect(60)
    assert rate >= 0.95
    assert error <= 0.08


@pytest.mark.long
def test_a_face_detector_finds_five_hundred_faces():
    rate, error = detect(500)
    assert rate >= 0.95
    assert error <= 0.08


def test_landmark_depth_is_that_of_the_drawn_surface():
    """The middle of a mouth drawn at a strong turn: the surface solved from the pixel is the point projected."""
    faces = plain_faces(yaw=[-40, 0, 40], pitch=[15, -15, 0])
    point = landmarks_of(faces, "inner_mouth_2")
    face = Face(faces, num_dims=3)
    surface = solve_surface(face, *face.from_picture(point[:, :, :1], point[:, :, 1:]))
    np.testing.assert_allclose(surface.x, 0.0, atol=2e-3)
    expected = face.lips(np.zeros((1, 1, 1), np.float32))[1]
    np.testing.assert_allclose(surface.y, expected, atol=5e-3)
