"""LPIPS against a plain NumPy one with weights of chance, and against known values with the real ones."""

import os
import runpy
import sys
from pathlib import Path

import facezoo
import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces
from facezoo.losses import WeightsError, lpips
from facezoo.metrics import LPIPS

needs_real_weights = pytest.mark.skipif("FACEZOO_WEIGHTS" not in os.environ, reason="FACEZOO_WEIGHTS is not set")


def random_weights(name):
    """Arrays of chance that keep the size of what passes through."""
    numbers = np.random.default_rng(0)
    arrays = {}
    for key, shape in lpips.list_arrays(name).items():
        if len(shape) == 1 and key.startswith("lin"):
            arrays[key] = numbers.uniform(0, 1, shape).astype(np.float32)
            continue
        spread = np.sqrt(2 / np.prod(shape[:3])) if len(shape) == 4 else 0.1
        arrays[key] = (spread * numbers.standard_normal(shape)).astype(np.float32)
    return arrays


@pytest.fixture(scope="module", params=["alex", "squeeze"])
def network(request, tmp_path_factory):
    """A network's name, its arrays, and the file that holds them."""
    arrays = random_weights(request.param)
    path = tmp_path_factory.mktemp("weights") / f"lpips_{request.param}.npz"
    np.savez(path, **arrays)
    return request.param, arrays, str(path)


@pytest.fixture(scope="module")
def pairs():
    """Three pairs of pictures, float32 [3, 46, 46, 3]: at this size all of SqueezeNet's pools round up."""
    return np.random.default_rng(1).uniform(0, 1, (2, 3, 46, 46, 3)).astype(np.float32)


# The reference: one picture at a time in float64, channels last, as the package's layers are described.


def convolved(x, kernel, bias, stride=1, padding=0):
    size = kernel.shape[0]
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))[::stride, ::stride]
    return np.maximum(np.einsum("hwcij,ijcf->hwf", windows, kernel.astype(np.float64), optimize=True) + bias, 0)


def pooled(x, rounds_up):
    """Maxima of 3x3 at every second pixel; windows that begin inside count where sizes are rounded up."""
    if rounds_up:
        more = [(0, (size - 3) % 2) for size in x.shape[:2]]
        x = np.pad(x, (*more, (0, 0)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max(axis=(-2, -1))


def slices_of(name, arrays, image):
    kernels = [key for key in lpips.list_arrays(name) if key.endswith("/0")]
    weights = {key.removesuffix("/conv2d/vars/0"): (arrays[key], arrays[key[:-1] + "1"]) for key in kernels}
    x = (2 * image.astype(np.float64) - 1 - (-0.030, -0.088, -0.188)) / (0.458, 0.448, 0.450)
    if name == "alex":
        plans = [(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]  # stride and padding
        for number, (stride, padding) in enumerate(plans, 1):
            x = pooled(x, False) if number in (2, 3) else x
            x = convolved(x, *weights[f"slice{number}/layers/sequential/layers"], stride, padding)
            yield x
        return
    x = convolved(x, *weights["slice1/layers/sequential/layers"], 2)
    yield x
    for number in range(2, 8):
        x = pooled(x, True) if number <= 4 else x
        for fire in ("__fire", "__fire_1")[: 2 if number <= 3 else 1]:
            place = f"slice{number}/layers/{fire}"
            x = convolved(x, *weights[f"{place}/layers/sequential/layers"])
            ones, threes = convolved(x, *weights[f"{place}/expand1x1/layers"]), weights[f"{place}/expand3x3/layers"]
            x = np.concatenate([ones, convolved(x, *threes, 1, 1)], axis=-1)
        yield x


def lpips_by_hand(name, arrays, first, second):
    total = 0.0
    for number, maps in enumerate(zip(*(slices_of(name, arrays, image) for image in (first, second)), strict=True)):
        one, other = (x / (np.sqrt((x**2).sum(axis=-1, keepdims=True)) + 1e-10) for x in maps)
        total += (((one - other) ** 2) @ arrays[f"lin{number}"].astype(np.float64)).mean()
    return total


def test_it_is_the_formula(network, pairs):
    name, arrays, path = network
    found = LPIPS(name, 46, path)(*pairs)
    assert found.dtype == tf.float32
    expected = [lpips_by_hand(name, arrays, *pair) for pair in zip(*pairs, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_equal_pictures_are_0_apart_and_gray_ones_count_as_colour(network, pairs):
    name, _, path = network
    distance = LPIPS(name, 46, path)
    np.testing.assert_array_equal(distance(pairs[0], pairs[0]), np.zeros(3))
    gray, other = (images[..., :1] for images in pairs)
    expected = distance(np.repeat(gray, 3, axis=-1), np.repeat(other, 3, axis=-1))
    np.testing.assert_allclose(distance(gray, other), expected, rtol=1e-6)


def test_what_lies_outside_of_0_to_1_is_clipped(network, pairs):
    name, _, path = network
    distance = LPIPS(name, 46, path)
    loud = 3.0 * pairs[1] - 1.0
    np.testing.assert_allclose(distance(pairs[0], loud), distance(pairs[0], np.clip(loud, 0, 1)), rtol=1e-6)


def test_black_pictures_have_finite_gradients(network):
    name, _, path = network
    images = tf.zeros((1, 46, 46, 3))
    loss = lpips.lpips_network(name, path, 46)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = tf.add_n([tf.reduce_sum(features) for features in loss(images)])
    assert np.isfinite(tape.gradient(value, images)).all()


def test_the_weights_of_pytorch_are_converted(tmp_path, monkeypatch, pairs):
    torch = pytest.importorskip("torch")
    expected, networks = {}, {}
    package = tmp_path / "site" / "lpips"
    (package / "weights" / "v0.1").mkdir(parents=True)
    (package / "__init__.py").write_text("1 / 0\n")  # it would want torchvision
    for name in ("alex", "squeeze"):
        expected[name] = random_weights(name)
        heads = {f"{key}.model.1.weight": expected[name][key] for key in expected[name] if key.startswith("lin")}
        heads = {key: torch.tensor(array.reshape(1, -1, 1, 1)) for key, array in heads.items()}
        torch.save(heads, package / "weights" / "v0.1" / f"{name}.pth")
        arrays = [array for key, array in expected[name].items() if not key.startswith("lin")]
        state = {f"features.{number}": array for number, array in enumerate(arrays)}
        state = {
            key: torch.tensor(each.transpose(3, 2, 0, 1) if each.ndim == 4 else each) for key, each in state.items()
        }
        networks[name] = state | {"classifier.1.weight": torch.zeros(2, 2)}
    monkeypatch.syspath_prepend(package.parent)
    asked = []

    def download(address, **options):
        asked.append(address)
        return networks["alex" if "alexnet" in address else "squeeze"]

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    script = Path(facezoo.__file__).parent / "docs" / "examples" / "convert_lpips.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "weights")])
    runpy.run_path(str(script))
    assert len(asked) == 2
    for name, arrays in expected.items():
        found = np.load(tmp_path / "weights" / f"lpips_{name}.npz")
        assert list(found) == list(lpips.list_arrays(name))
        for key in found:
            np.testing.assert_array_equal(found[key], arrays[key])
        LPIPS(name, 46, str(tmp_path / "weights"))


@pytest.mark.parametrize(("name", "size"), [("alex", 30), ("squeeze", 16)])
def test_pictures_that_are_too_small_are_refused(name, size):
    with pytest.raises(ValueError, match=f"needs pictures of at least {size + 1} pixels, not {size}"):
        LPIPS(name, size, "nothing.npz")


def test_another_network_s_file_is_refused(network, tmp_path):
    name, arrays, path = network
    with pytest.raises(WeightsError, match="give a file of this network"):
        LPIPS({"alex": "squeeze", "squeeze": "alex"}[name], 46, path)
    damaged = tmp_path / "damaged.npz"
    np.savez(damaged, **(arrays | {"lin0": np.full_like(arrays["lin0"], np.nan)}))
    with pytest.raises(WeightsError, match="lin0 holds numbers that are not finite"):
        LPIPS(name, 46, str(damaged))


@needs_real_weights
@pytest.mark.parametrize(
    ("model", "expected"), [("cae", 0.008), ("vae", 0.2016), ("vae_perceptual", 0.1577), ("appearance_vae", 0.0903)]
)
def test_models_that_ship_measure_what_is_known_of_them(model, expected):
    faces = procedural_faces("test", image_size=64).load(np.arange(256))["image"].astype(np.float32) / 255
    network = facezoo.load_pretrained(model)
    found = LPIPS("alex", 64)(faces, network.decode(network.encode(faces)))
    assert np.mean(found) == pytest.approx(expected, abs=5e-4)
