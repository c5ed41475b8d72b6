"""The recogniser against a plain NumPy one with weights of chance, and on real faces with the real ones."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import recogniser as module
from facezoo.losses.recogniser import FaceCut, recogniser
from facezoo.metrics import IdentityDistance
from PIL import Image
from scipy.spatial.distance import pdist

WHOLE = (0.0, 0.0, 1.0)
needs_real_ones = pytest.mark.skipif(
    not {"FACEZOO_WEIGHTS", "FACEZOO_EVAL_DATA"} <= set(os.environ), reason="FACEZOO_WEIGHTS or _EVAL_DATA is not set"
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Arrays of chance that keep the size of what passes through, and the file that holds them."""
    numbers = np.random.default_rng(0)
    arrays = {}
    for name, shape in module._shapes().items():
        spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        centre = 1.0 if name.endswith("scale/weights") else 0.0
        arrays[name] = (centre + spread * numbers.standard_normal(shape)).astype(np.float32)
    path = tmp_path_factory.mktemp("weights") / "face_recognition.npz"
    np.savez(path, **arrays)
    return arrays, str(path)


# The reference, of one picture, layer by layer as face-api computes it.


def convolved(x, arrays, name, stride=1):
    kernel = arrays[f"{name}/conv/filters"]
    size = kernel.shape[0]
    x = np.pad(x, ((size // 2,) * 2, (size // 2,) * 2, (0, 0))) if stride == 1 else x
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))[::stride, ::stride]
    y = np.tensordot(windows, kernel, axes=([3, 4, 2], [0, 1, 2])) + arrays[f"{name}/conv/bias"]
    return y * arrays[f"{name}/scale/weights"] + arrays[f"{name}/scale/biases"]


def block(x, arrays, name, is_down=False):
    y = np.maximum(convolved(x, arrays, f"{name}/conv1", 2 if is_down else 1), 0)
    y = convolved(y, arrays, f"{name}/conv2")
    if is_down:
        height, width = (side // 2 for side in x.shape[:2])
        x = x[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1).mean(axis=(1, 3))
        y = np.pad(y, [(0, x.shape[axis] - y.shape[axis]) for axis in (0, 1)] + [(0, 0)])
        x = np.pad(x, ((0, 0), (0, 0), (0, y.shape[2] - x.shape[2])))
    return np.maximum(x + y, 0)


def by_hand(image, arrays):
    x = (255.0 * image.astype(np.float64) - (122.782, 117.001, 104.298)) / 256.0
    x = np.maximum(convolved(x, arrays, "conv32_down", 2), 0)
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(-2, -1))
    for name in ("conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3", "conv128_down"):
        x = block(x, arrays, name, name.endswith("down"))
    for name in ("conv128_1", "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out"):
        x = block(x, arrays, name, "down" in name)
    return x.mean(axis=(0, 1)) @ arrays["fc"]


def test_it_is_the_network(weights):
    arrays, path = weights
    image = np.random.default_rng(1).uniform(0, 1, (150, 150, 3)).astype(np.float32)
    found = recogniser(WHOLE, 150, path)(image[None])
    assert found.shape == (1, 128)
    np.testing.assert_allclose(found[0], by_hand(image, arrays), rtol=1e-3, atol=1e-3)


def test_the_square_is_cut_out_where_it_is():
    # A ramp from 0 to 1 along x and none along y: its square shows the part between its edges.
    ramp = np.tile((np.arange(100, dtype=np.float32) + 0.5) / 100, (100, 1))[None, ..., None]
    cut = FaceCut((0.2, 0.1, 0.5))(ramp)
    expected = 0.2 + 0.5 * (np.arange(150) + 0.5) / 150
    np.testing.assert_allclose((256 * cut[0, 75] + module.MEANS)[:, 0] / 255, expected, atol=1e-4)


def test_a_picture_is_0_from_itself_and_distances_have_gradients(weights):
    images = tf.constant(np.random.default_rng(1).uniform(0, 1, (2, 40, 40, 3)), tf.float32)
    distance = IdentityDistance(40, WHOLE, weights[1])
    np.testing.assert_allclose(distance(images, images), [0, 0], atol=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = tf.reduce_sum(distance(images, images[::-1]))
    assert np.abs(tape.gradient(value, images)).max() > 0
    gray = images[..., :1]
    np.testing.assert_allclose(distance.people(gray), distance.people(tf.tile(gray, (1, 1, 1, 3))), rtol=1e-5)


@needs_real_ones
def test_strangers_are_as_far_apart_as_is_known():
    """On CelebA at half size, in the square around (44.5, 66) with the side 54: 0.83, and 0.8 % below 0.6."""
    paths = sorted((Path(os.environ["FACEZOO_EVAL_DATA"]) / "celeba").glob("*.jpg"))[:120]
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            pictures.append(np.asarray(picture)[18:92, 8:82])  # 74 x 74
    square = ((17.5 - 8) / 74, (39 - 18) / 74, 54 / 74)
    people = IdentityDistance(74, square).people(np.stack(pictures).astype(np.float32) / 255)
    distances = pdist(people)
    assert np.mean(distances) == pytest.approx(0.83, abs=0.01)
    assert np.mean(distances < 0.6) == pytest.approx(0.008, abs=0.006)
