"""Any Keras network as files of other runtimes, each held to the original."""

import errno

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.compressing import round_kernels
from facezoo.experiments.exporting.format import Format
from facezoo.experiments.exporting.formats import FORMATS
from facezoo.experiments.exporting.graphs import ExportError, Graph
from facezoo.experiments.exporting.held import write_and_run
from facezoo.experiments.exporting.keras_file import make_narrow

EXAMPLES = np.random.default_rng(0).uniform(size=(6, 4, 4, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def graph():
    """A convolution that enlarges, and a dense layer."""
    given = keras.Input((4, 4, 3))
    x = keras.layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(given)
    x = keras.layers.Dense(2)(x)
    network = keras.Model(given, x)
    return Graph("net", "x", "y", (4, 4, 3), lambda x: tf.identity(network(x, training=False)), network, network)


def expected(graph):
    return np.asarray(graph.call(EXAMPLES))


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "int4"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_gives_what_the_network_gives(graph, name, precision, tmp_path):
    written_as = FORMATS[name]
    if precision not in written_as.precisions:
        with pytest.raises(ExportError, match=f"holds float32 and float16 alone, not {precision}"):
            written_as.check(precision)
        return
    for package in (*written_as.packages, *(["litert_quantizer"] if (name, precision) == ("litert", "int4") else [])):
        pytest.importorskip(package)
    outcome = write_and_run(graph, written_as, precision, EXAMPLES, EXAMPLES, expected(graph), tmp_path / "net")
    largest = np.abs(graph.call(EXAMPLES)).max()
    most = {"float32": 1e-5, "float16": 3e-3, "int8": 0.05, "int4": 0.35}[precision]
    assert outcome.largest_difference < most * largest
    assert outcome.outputs.shape == (6, 8, 8, 2)
    assert outcome.num_bytes > 500
    assert outcome.milliseconds >= 0
    assert any(path.name == f"net{written_as.suffix}" for path in tmp_path.iterdir())


def test_networks_inside_of_a_network_are_narrow_too(graph, tmp_path):
    given = keras.Input((4, 4, 3))
    outer = keras.Model(given, graph.network(given))
    assert {weight.dtype for weight in make_narrow(outer, "float16").weights} == {"float16"}


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_kernels_on_a_grid_of_four_bits_lose_nothing_more(graph, name, tmp_path):
    for package in (*FORMATS[name].packages, "litert_quantizer"):
        pytest.importorskip(package)
    exact = graph.network.get_weights()
    round_kernels(graph.network, 4)
    try:
        found = write_and_run(graph, FORMATS[name], "int4", EXAMPLES, EXAMPLES, expected(graph), tmp_path / "net")
        # Both runtimes round activations to eight bits where weights have four.
        assert found.largest_difference < 0.015 * np.abs(graph.call(EXAMPLES)).max()
    finally:
        graph.network.set_weights(exact)


class _Broken(Format):
    """Writes what gives something else."""

    suffix = ".broken"

    def __init__(self, gives):
        self.gives = gives

    def write(self, graph, precision, examples, path):
        path.write_text("")

    def open(self, path):
        return self.gives


def _fail(given):
    raise ValueError("\n the runtime's reason\nand a trace")


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (lambda given: np.full((1, 8, 8, 2), np.nan), "no finite numbers"),
        (lambda given: np.zeros((1, 8, 8, 3)), r"shape \(8, 8, 3\), and not of \(8, 8, 2\)"),
        (_fail, "fails: the runtime's reason$"),
    ],
)
def test_what_is_broken_is_refused_in_a_line(graph, gives, said, tmp_path):
    with pytest.raises(ExportError, match=said):
        write_and_run(graph, _Broken(gives), "float32", EXAMPLES, EXAMPLES, expected(graph), tmp_path / "net")


def test_a_full_disk_is_no_fault_of_a_format(graph, tmp_path):
    def write(given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_and_run(graph, _Broken(write), "float32", EXAMPLES, EXAMPLES, expected(graph), tmp_path / "net")


def test_a_package_that_is_missing_is_named():
    class Missing(Format):
        packages = ("no_such_package",)

    with pytest.raises(ExportError, match=r"no_such_package is not installed: pip install 'facezoo\[export\]'"):
        Missing().check("int8")


def test_a_graph_without_a_functional_network_is_no_keras_file(tmp_path):
    graph = Graph("net", "x", "y", (2,), lambda x: 2.0 * x, keras.Sequential())
    with pytest.raises(ExportError, match="no network of Keras' own layers with one input: take saved_model"):
        FORMATS["keras"].write(graph, "float32", np.ones((1, 2)), tmp_path / "n.keras")
