"""Kernels that become sparse or coarse while a network trains, in Keras' `fit`: what is promised of both callbacks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.compressing import (
    KernelRounding,
    MagnitudePruning,
    find_grid,
    find_kernels,
    find_plain_grid,
    measure_sparsity,
    round_kernels,
    sparsify,
)
from facezoo.compressing.pruning import choose_largest


def make_network() -> keras.Model:
    """A dense layer, a convolution, a transposed one and a depthwise one, in a model inside of a model."""
    codes = keras.Input((6,))
    x = keras.layers.Reshape((2, 2, 4))(keras.layers.Dense(16)(codes))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    inner = keras.Model(codes, keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x))
    again = keras.Input((6,))
    return keras.Model(again, inner(again))


def compile_network(network) -> keras.Model:
    network.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    return network


@pytest.fixture
def data():
    numbers = np.random.default_rng(0)
    return numbers.normal(size=(32, 6)).astype("f"), numbers.uniform(size=(32, 4, 4, 3)).astype("f")


def train(network, callback, data, epochs: int):
    """Epochs of four updates, in the order of the data."""
    network.fit(*data, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback])
    return network


def kernels_of(network) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(kernel.variable) for kernel in find_kernels(network)]


def test_every_kernel_is_found_once_with_its_output_channels():
    found = find_kernels(make_network())
    kinds = [(type(kernel.layer).__name__, kernel.channel_axes, kernel.other_axes) for kernel in found]
    assert kinds == [
        ("Dense", (1,), (0,)),
        ("Conv2D", (3,), (0, 1, 2)),
        ("DepthwiseConv2D", (2, 3), (0, 1)),
        ("Conv2DTranspose", (2,), (0, 1, 3)),
    ]
    with pytest.raises(ValueError, match="flat has no dense or convolutional layers"):
        find_kernels(keras.layers.Flatten(name="flat"))


def test_sparsity_rises_by_the_third_power_and_stays():
    pruning = MagnitudePruning(sparsity=0.8, begin=2, end=10)
    assert [pruning.find_sparsity(step) for step in (0, 2, 10, 50)] == pytest.approx([0.0, 0.0, 0.8, 0.8])
    assert pruning.find_sparsity(6) == pytest.approx(0.8 * (1 - 0.5**3))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"sparsity": 1.0}, "sparsity=1.0"), ({"end": 0}, "begin=0"), ({"every": 0}, "every=0")],
)
def test_a_schedule_that_cannot_be_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        MagnitudePruning(**{"sparsity": 0.5, "end": 10, **options})


def test_the_smallest_go_by_their_share_of_what_is_not_smaller():
    large, small = np.array([[1.0, -2.0], [2.5, 2.5], [1.0, 0.5]]), np.array([0.01, -0.06])
    masks = choose_largest([large, small], 0.5)
    np.testing.assert_array_equal(masks[0], [[False, True], [True, True], [False, False]])
    np.testing.assert_array_equal(masks[1], [False, True])  # whatever their scale


def test_a_pruned_network_has_the_asked_share_of_zeros_and_still_learns(data):
    network = compile_network(make_network())
    before = network.evaluate(*data, verbose=0)
    history = network.fit(
        *data, batch_size=8, epochs=3, verbose=0, callbacks=[MagnitudePruning(sparsity=0.75, end=8, every=2)]
    )
    assert measure_sparsity(network) == pytest.approx(0.75, abs=0.01)
    assert history.history["sparsity"][-1] == pytest.approx(0.75, abs=0.01)
    assert network.evaluate(*data, verbose=0) < before


def test_sparsify_needs_no_training():
    network = make_network()
    kept = [kernel.copy() for kernel in kernels_of(network)]
    sparsify(network, 0.5)
    assert measure_sparsity(network) == pytest.approx(0.5, abs=0.01)
    for kernel, before in zip(kernels_of(network), kept, strict=True):
        np.testing.assert_array_equal(kernel[kernel != 0], before[kernel != 0])


def save_and_load(network, path) -> keras.Model:
    network.save(path)
    return keras.saving.load_model(path)


def assert_same(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pruning_goes_on_from_a_saved_model_bit_for_bit(data, tmp_path):
    def pruning():
        return MagnitudePruning(sparsity=0.6, end=8, every=3)

    first = compile_network(make_network())
    start = first.get_weights()
    train(first, pruning(), data, 1)
    halves = train(save_and_load(first, tmp_path / "half.keras"), pruning(), data, 2)
    whole = compile_network(make_network())
    whole.set_weights(start)
    train(whole, pruning(), data, 3)
    assert_same(whole, halves)


def test_a_schedule_that_is_over_before_it_begins_is_refused(data):
    network = train(compile_network(make_network()), keras.callbacks.Callback(), data, 2)
    with pytest.raises(ValueError, match="end=8: the optimizer has made 8 updates already"):
        train(network, MagnitudePruning(sparsity=0.5, end=8), data, 1)
    sparsify(network, 0.5)
    train(network, MagnitudePruning(sparsity=0.5, end=8), data, 1)
    assert measure_sparsity(network) == pytest.approx(0.5, abs=0.01)


def test_kernels_that_begin_as_zeros_learn(data):
    network = compile_network(make_network())
    last = find_kernels(network)[-1].variable
    last.assign(keras.ops.zeros_like(last))
    train(network, MagnitudePruning(sparsity=0.1, end=8, every=2), data, 2)
    assert np.mean(keras.ops.convert_to_numpy(last) == 0) < 0.5


def test_rounding_goes_on_from_exact_kernels_bit_for_bit(data, tmp_path):
    first, rounding = compile_network(make_network()), KernelRounding(bits=4)
    start = first.get_weights()
    train(first, rounding, data, 1)
    with rounding.exact():
        half = save_and_load(first, tmp_path / "half.keras")
    train(half, KernelRounding(bits=4), data, 1)
    whole = compile_network(make_network())
    whole.set_weights(start)
    train(whole, KernelRounding(bits=4), data, 2)
    assert_same(whole, half)


@pytest.mark.parametrize("bits", [4, 8])
def test_rounded_kernels_are_a_scale_times_integers_which_a_quantiser_finds_again(bits):
    network = make_network()
    round_kernels(network, bits)
    most = 2 ** (bits - 1) - 1
    for kernel in find_kernels(network):
        numbers = keras.ops.convert_to_numpy(kernel.variable)
        grid = find_grid(kernel, bits)
        np.testing.assert_allclose(grid.scale * grid.integers, numbers, rtol=1e-6)
        assert np.abs(grid.integers).max() == most
        plain = find_plain_grid(numbers, kernel.other_axes, bits)
        np.testing.assert_allclose(plain.scale * plain.integers, numbers, rtol=1e-5)
    before = kernels_of(network)
    round_kernels(network, bits)
    for again, kernel in zip(kernels_of(network), before, strict=True):
        np.testing.assert_allclose(again, kernel, rtol=1e-6)


@pytest.mark.parametrize("axes", [(1, 2), (0, 1)])
def test_a_plain_grid_has_the_largest_number_of_a_channel_for_the_largest_integer(axes):
    numbers = np.random.default_rng(1).normal(size=(5, 3, 7)).astype("f")
    grid = find_plain_grid(numbers, axes, bits=4)
    assert np.abs(grid.integers).max(axis=axes).tolist() == [7] * grid.scale.size
    assert np.abs(grid.scale * grid.integers - numbers).max() <= np.abs(numbers).max() / 14 + 1e-6


def test_eight_bits_lose_next_to_nothing_and_four_some():
    errors = {}
    for bits in (4, 8):
        keras.utils.set_random_seed(0)
        network = make_network()
        before = kernels_of(network)
        round_kernels(network, bits)
        errors[bits] = max(
            np.sqrt(np.mean((after - kernel) ** 2)) / kernel.std()
            for after, kernel in zip(kernels_of(network), before, strict=True)
        )
    assert errors[8] < 0.01 < errors[4] < 0.2


def test_the_gradient_is_that_at_the_rounded_kernel_and_moves_the_exact_one():
    x, y = np.random.default_rng(0).normal(size=(2, 8, 6)).astype("f")
    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6, use_bias=False)])
    network.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    start = network.get_weights()[0]
    rounding = KernelRounding(bits=4)
    network.fit(x, y, batch_size=8, verbose=0, callbacks=[rounding])
    other = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6, use_bias=False)])
    other.set_weights([start])
    round_kernels(other, 4)
    gradient = 2.0 * x.T @ (x @ other.get_weights()[0] - y) / y.size
    with rounding.exact():
        np.testing.assert_allclose(network.get_weights()[0], start - 0.1 * gradient, atol=1e-6)
    for kernel in find_kernels(network):
        assert len(np.unique(find_grid(kernel, 4).integers)) <= 15


def test_other_bits_are_refused():
    with pytest.raises(ValueError, match="bits=3 must be 4 or 8"):
        KernelRounding(bits=3)


@pytest.mark.parametrize("make", [lambda: MagnitudePruning(sparsity=0.5, end=4, every=1), KernelRounding])
def test_two_replicas_do_as_one(make, data, two_devices):
    ends = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            network = make_network()
            network.compile(keras.optimizers.SGD(0.1), "mse")
        train(network, make(), data, 1)
        ends.append(network.get_weights())
    for one, two in zip(*ends, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
