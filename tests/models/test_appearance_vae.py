"""Faces bent to the mean shape and back, and a VAE whose code is appearance and shape."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces
from facezoo.models import VAE, AppearanceVAE
from facezoo.models.shape_frame import ShapeFrame, look_up

SIZE = 64


@pytest.fixture(scope="module")
def faces():
    return procedural_faces("train", image_size=SIZE).load(np.arange(96))


@pytest.fixture(scope="module")
def frame(faces):
    frame = ShapeFrame(SIZE, faces["landmarks"].shape[1], 20)
    frame.adapt(faces["landmarks"])
    return frame


def floats(faces):
    return faces["image"].astype(np.float32) / 255.0


def psnr(one, other):
    return float(np.mean(-10.0 * np.log10(np.mean((np.asarray(one) - other) ** 2, axis=(1, 2, 3)))))


def test_a_picture_is_looked_up_between_its_pixels():
    picture = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    places = np.array([[[[0.0, 0.0], [1.5, 0.0], [3.0, 2.0], [0.5, 1.5], [-5.0, 9.0]]]], np.float32)
    np.testing.assert_allclose(np.ravel(look_up(picture, places)), [0.0, 1.5, 11.0, 6.5, 8.0])


def test_shapes_are_told_in_standard_deviations(faces, frame):
    shapes = np.asarray(frame.read_off(faces["landmarks"]))
    np.testing.assert_allclose(shapes.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(shapes.std(axis=0), 1.0, atol=1e-2)


def test_a_straightened_face_comes_back(faces, frame):
    images, shapes = floats(faces)[:32], frame.read_off(faces["landmarks"][:32])
    straight = frame.straighten(images, shapes)
    assert psnr(frame.bend(straight, shapes), images) > 27.0
    assert psnr(straight, images) < psnr(frame.bend(straight, shapes), images) - 4.0


def test_straightened_faces_are_more_alike(faces, frame):
    images = floats(faces)
    straight = np.asarray(frame.straighten(images, frame.read_off(faces["landmarks"])))
    middle = (slice(None), slice(16, 48), slice(16, 48))
    gray = [pictures[middle].mean(axis=-1) for pictures in (images, straight)]
    edges = [
        np.abs(np.diff((each - each.mean(axis=(1, 2), keepdims=True)).mean(axis=0), axis=0)).mean() for each in gray
    ]
    assert edges[1] > 1.2 * edges[0]  # eyes and mouths are in one place: their mean is sharper


def test_nothing_is_bent_before_shapes_are_known(faces):
    frame = ShapeFrame(SIZE, 70, 4)
    shapes = frame.read_off(faces["landmarks"])
    np.testing.assert_array_equal(shapes, np.zeros((96, 4)))
    np.testing.assert_allclose(frame.bend(floats(faces), shapes + 3.0), floats(faces), atol=1e-6)


@pytest.mark.parametrize("count", [2, 5])
def test_fewer_faces_than_numbers_of_a_shape_are_enough(faces, count):
    frame = ShapeFrame(SIZE, 70, 20)
    frame.adapt(faces["landmarks"][:count])
    assert np.abs(frame.read_off(faces["landmarks"])).max() < 100.0  # of faces that it has not seen, too
    assert np.isfinite(frame.straighten(floats(faces)[:4], frame.read_off(faces["landmarks"][:4]))).all()


def test_the_code_is_appearance_and_shape(faces):
    keras.utils.set_random_seed(0)
    model = AppearanceVAE(
        image_size=SIZE, latent_dim=6, shape_dim=4, filters=(4, 4), landmark_names=tuple(map(str, range(70)))
    )
    model.adapt(faces["landmarks"])
    codes = np.array(model.encode(floats(faces)[:3]))
    assert codes.shape == (3, 10) and model.shape_of_code() == (10,)
    moved = codes.copy()
    moved[:, 6] += 3.0
    assert np.abs(model.decode(moved) - model.decode(codes)).max() > 0.001
    batch = {"image": tf.constant(floats(faces)[:3]), "landmarks": tf.constant(faces["landmarks"][:3])}
    outputs = model(batch, training=True)
    np.testing.assert_allclose(outputs["true_shape"], model.frame.read_off(faces["landmarks"][:3]), atol=1e-5)
    np.testing.assert_allclose(outputs["z"][:, 6:], outputs["true_shape"], atol=1e-5)
    for network in (model.code_network, model.picture_network):
        with pytest.raises(ValueError, match="pictures are bent"):
            network()


def test_the_reader_learns_shapes(faces):
    keras.utils.set_random_seed(0)
    model = AppearanceVAE(
        image_size=SIZE, latent_dim=4, shape_dim=3, filters=(4, 4), landmark_names=tuple(map(str, range(70)))
    )
    model.adapt(faces["landmarks"])
    model.compile("adam")
    batch = {"image": floats(faces)[:32], "landmarks": faces["landmarks"][:32]}
    errors = []
    for _ in range(25):
        model.reset_metrics()
        errors.append(float(model.train_step(batch)["shape"]))
    assert errors[-1] < 0.6 * errors[0]


@pytest.mark.parametrize("decoder", [{}, {"decoder_width": 8, "decoder_depth": 1}], ids=["the same", "on grids"])
def test_it_begins_from_a_vae(decoder, faces):
    keras.utils.set_random_seed(0)
    there = VAE(image_size=32, filters=(8, 8), latent_dim=4)
    names = tuple(map(str, range(faces["landmarks"].shape[1])))
    model = AppearanceVAE(image_size=32, filters=(8, 8), latent_dim=4, shape_dim=3, landmark_names=names, **decoder)
    assert model.begin_from(there, lambda count: {name: values[:count] for name, values in faces.items()})
    np.testing.assert_allclose(np.std(model.frame.read_off(faces["landmarks"]), axis=0), 1.0, atol=1e-2)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    straight = model.frame.straighten(images, model.reader(images))
    np.testing.assert_allclose(model.encode(images)[:, :4], there.encode(straight), atol=1e-5)
    if not decoder:
        codes = np.ones((2, 4), np.float32)
        np.testing.assert_allclose(model.decoder(codes), there.decode(codes), atol=1e-5)


def test_it_begins_from_no_other_model():
    model = AppearanceVAE(image_size=32, filters=(8, 8), latent_dim=4, shape_dim=3, landmark_names=("nose", "chin"))
    before = model.get_weights()
    for other in (VAE(image_size=32, filters=(8, 8), latent_dim=5), model):
        assert not model.begin_from(other, dict)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
