"""Timing: what is counted, who works when, and the command."""

import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.experiments.benchmarks.contestants import Timing, alternate
from facezoo.experiments.benchmarks.flops import flops_of
from facezoo.models import DFCVAE


def graph_of(function, *shapes):
    return tf.function(function).get_concrete_function(*(tf.TensorSpec(shape) for shape in shapes)).graph


def test_a_convolution_costs_two_operations_for_each_weight_and_place():
    graph = graph_of(lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), (4, 8, 8, 3), (5, 5, 3, 16))
    assert flops_of(graph) == 2 * (4 * 4 * 4) * (5 * 5 * 3 * 16)


def test_a_transposed_convolution_costs_by_its_small_side():
    graph = graph_of(lambda x, k: tf.nn.conv2d_transpose(x, k, (4, 8, 8, 3), 2, "SAME"), (4, 4, 4, 16), (5, 5, 3, 16))
    assert flops_of(graph) == 2 * (4 * 4 * 4) * (5 * 5 * 3 * 16)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_product_costs_two_operations_for_each_factor(transposed):
    left = (7, 5) if transposed else (5, 7)
    graph = graph_of(lambda a, b: tf.matmul(a, b, transpose_a=transposed), left, (7, 3))
    assert flops_of(graph) == 2 * 5 * 7 * 3


def test_a_training_step_costs_three_forward_passes_less_the_first_gradient():
    network = keras.Sequential([keras.layers.Conv2D(8, 3, padding="same"), keras.layers.Conv2D(4, 3, padding="same")])
    network.build((2, 6, 6, 3))

    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(network(images)))
        return tape.gradient(loss, network.trainable_variables)

    first, second = (2 * (2 * 6 * 6) * 3 * 3 * weights for weights in (3 * 8, 8 * 4))
    assert flops_of(graph_of(step, (2, 6, 6, 3))) == 3 * (first + second) - first


def test_shapes_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match="unknown shape"):
        flops_of(graph_of(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), (None, 8, 8, 3), (3, 3, 3, 4)))


def test_a_timing_is_told_by_its_median_and_spread():
    timing = Timing((0.5, 0.1, 0.2))
    assert (timing.median, timing.spread) == (0.2, pytest.approx(2.0))


class Turns:
    """Stands for a contestant: a repetition takes a known time."""

    def __init__(self, name, seconds, log):
        self.name, self.one, self.log = name, seconds, log

    def seconds(self, count):
        self.log.append((self.name, count))
        return count * self.one


def test_contestants_work_in_turn_for_as_long():
    log = []
    fast, slow = Turns("fast", 0.125, log), Turns("slow", 0.5, log)
    timings = alternate({"fast": fast, "slow": slow}, alternations=2, seconds=1.0)
    assert log[-4:] == [("fast", 8), ("slow", 2)] * 2
    assert (timings["fast"].seconds, timings["slow"].seconds) == ((0.125, 0.125), (0.5, 0.5))


def test_the_command_times_a_step_and_a_face(command, tmp_path):
    small = ("--models=vae", "--image_size=32", "--batch_size=4", "--alternations=2", "--seconds=0.01")
    done = command("benchmark", *small, "--measure=train", "--measure=latency", f"--out={tmp_path / 'times.json'}")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "times.json").read_text())["rows"]
    assert [row["case"] for row in rows] == [
        "facezoo vae plain mixed_bfloat16",
        *("vae encode", "vae decode", "vae morph"),
    ]
    step = rows[0]
    assert len(step["timing"]["seconds"]) == 2
    assert step["images_per_second"] == pytest.approx(4 / np.median(step["timing"]["seconds"]))
    assert step["share_of_best"] > 0.0
    assert all(row["case"] in done.out for row in rows)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--models=vea",), "--models=vea must be some of"),
        (("--measure=speed",), "--measure"),
        (("--alternations=0",), "at least 1"),
        (("--seconds=0",), "above 0"),
        (("--out=.",), "exists"),
    ],
)
def test_the_command_refuses(command, flags, words):
    done = command("benchmark", *flags)
    assert (done.code, words in done.err) == (2, True), done.err


def test_a_peer_that_is_not_installed_is_named(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    done = command("benchmark", "--peer=torch", "--measure=train")
    assert (done.code, "pip install 'facezoo[peers]'" in done.err) == (2, True)


def test_the_peer_is_the_same_network():
    torch_peer = pytest.importorskip("facezoo.experiments.benchmarks.torch_peer", reason="needs PyTorch")
    learned = [weight.numel() for weight in torch_peer.DFCVAE().parameters() if weight.requires_grad]
    assert sum(learned) == sum(int(np.prod(weight.shape)) for weight in DFCVAE().trainable_variables)
