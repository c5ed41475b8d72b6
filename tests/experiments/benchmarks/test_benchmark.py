"""Timing: what is counted, who works when, and the command."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.experiments.benchmarks import measures
from facezoo.experiments.benchmarks.contestants import Timing, alternate
from facezoo.experiments.benchmarks.flops import count_flops
from facezoo.experiments.benchmarks.training_steps import TrainingStep
from facezoo.experiments.benchmarks.usage import Latency, Pipeline, faces_on_disk
from facezoo.experiments.commands import benchmark
from facezoo.experiments.flags import kinds, parsing
from facezoo.models import DFCVAE, MODELS, DiffusionAutoencoder


def graph_of(function, *shapes):
    return tf.function(function).get_concrete_function(*(tf.TensorSpec(shape) for shape in shapes)).graph


def test_a_convolution_costs_two_operations_for_each_weight_and_place():
    graph = graph_of(lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), (4, 8, 8, 3), (5, 5, 3, 16))
    assert count_flops(graph) == 2 * (4 * 4 * 4) * (5 * 5 * 3 * 16)


def test_a_transposed_convolution_costs_by_its_small_side():
    graph = graph_of(lambda x, k: tf.nn.conv2d_transpose(x, k, (4, 8, 8, 3), 2, "SAME"), (4, 4, 4, 16), (5, 5, 3, 16))
    assert count_flops(graph) == 2 * (4 * 4 * 4) * (5 * 5 * 3 * 16)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_product_costs_two_operations_for_each_factor(transposed):
    left = (7, 5) if transposed else (5, 7)
    graph = graph_of(lambda a, b: tf.matmul(a, b, transpose_a=transposed), left, (7, 3))
    assert count_flops(graph) == 2 * 5 * 7 * 3


def test_a_training_step_costs_three_forward_passes_less_the_first_gradient():
    network = keras.Sequential([keras.layers.Conv2D(8, 3, padding="same"), keras.layers.Conv2D(4, 3, padding="same")])
    network.build((2, 6, 6, 3))

    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(network(images)))
        return tape.gradient(loss, network.trainable_variables)

    first, second = (2 * (2 * 6 * 6) * 3 * 3 * weights for weights in (3 * 8, 8 * 4))
    assert count_flops(graph_of(step, (2, 6, 6, 3))) == 3 * (first + second) - first


def test_shapes_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match="unknown shape"):
        count_flops(graph_of(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), (None, 8, 8, 3), (3, 3, 3, 4)))


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


SMALL = ("--image_size=32", "--batch_size=4", "--alternations=2", "--seconds=0.01")


def test_the_command_times_a_step(command, tmp_path):
    out = tmp_path / "figures" / "times.json"
    done = command("benchmark", *SMALL, "--models=cae", "--measure=train", f"--out={out}")
    assert done.code == 0, done.err
    (row,) = json.loads(out.read_text())["rows"]
    assert row["case"] == "facezoo cae plain mixed_bfloat16" and row["case"] in done.out
    assert len(row["timing"]["seconds"]) == 2
    assert row["images_per_second"] == pytest.approx(4 / np.median(row["timing"]["seconds"]))
    assert row["share_of_best"] > 0.0


def small_benchmark():
    return kinds.read(parsing.parse(benchmark.define_flags, list(SMALL)), measures.BenchmarkSettings)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_s_step_can_be_timed(model):
    step = TrainingStep(measures.step_flags(small_benchmark(), model, "plain", "float32"))
    before = [variable.numpy() for variable in step.session.model.trainable_variables]
    step(1)
    assert any(
        (old != new.numpy()).any() for old, new in zip(before, step.session.model.trainable_variables, strict=True)
    )
    assert (step.flops() is None) == (model == "face_mapping")  # its decoders take as many pictures as are theirs


def test_input_is_timed_from_files_and_from_a_pack_of_them(monkeypatch):
    monkeypatch.setenv("FACEZOO_CACHE_DIR", "before")
    shared = ("--model=vae", "--image_size=32", "--batch_size=4")
    with faces_on_disk(32, 60) as on_disk:
        pipelines = {
            (place, name): Pipeline([*shared, *where, *more])
            for place, where in on_disk.items()
            for name, more in measures.PIPELINES.items()
        }
        folders = [pipeline.session.settings.data.data_dir for pipeline in pipelines.values()]
        for pipeline in pipelines.values():
            pipeline(2)
        for name in measures.PIPELINES:
            one, other = (next(iter(pipelines[place, name].batches))["image"] for place in on_disk)
            np.testing.assert_array_equal(one, other)
    assert len(set(folders)) == 2
    assert not any(Path(folder).exists() for folder in folders)
    assert os.environ["FACEZOO_CACHE_DIR"] == "before"


@pytest.mark.parametrize("what", ["encode", "decode", "morph"])
def test_a_face_s_way_can_be_timed(what):
    Latency("vae", 32, what)(1)


def test_start_up_is_timed_by_commands(monkeypatch):
    commands = []
    monkeypatch.setattr(measures, "_time_command", lambda *arguments: commands.append(arguments[0]) or 0.5)
    rows = list(measures._startup(small_benchmark(), ["vae"]))
    assert commands == ["train", *2 * ["--help", "train", "morph"]]
    assert [row.timing.seconds for row in rows] == 3 * [(0.5, 0.5)]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--models=vea",), "--models=vea must be some of"),
        (("--measure=speed",), "--measure"),
        (("--alternations=0",), "at least 1"),
        (("--seconds=0",), "above 0"),
        (("--out=.",), "exists"),
        (("--minutes=5",), "--minutes does nothing without --measure=peers"),
        (("--measure=morph", "--contestants=keras"), "--contestants does nothing without --measure=peers"),
        (("--measure=train", "--page=page.md"), "--page does nothing without --measure=peers"),
        (("--contest_dir=peers",), "--contest_dir does nothing without --measure=peers"),
        (("--measure=peers", "--pairs=5"), "--pairs does nothing without --measure=morph"),
        (("--measure=morph", "--prior=code_prior"), "--prior does nothing without --run_dir, whose codes it knows"),
        (("--landmarks=mtcnn",), "--landmarks does nothing without --measure=morph"),
        (("--measure=latency", "--data_dir=faces"), "--data_dir does nothing without --measure=morph or peers"),
        (("--measure=morph", "--terms=plain"), "--terms does nothing without --measure=train or input"),
        (("--measure=morph", "--batch_size=4"), "--batch_size does nothing without --measure=train or input"),
        (("--measure=latency", "--models=vae", "--image_size=100", "--out=new/times.json"), "multiple of 16"),
    ],
)
def test_the_command_refuses(command, empty_folder, flags, words):
    done = command("benchmark", *flags)
    assert (done.code, words in done.err) == (2, True), done.err
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("is_there", "flags", "words"),
    [
        (False, (), "pip install 'facezoo[peers]'"),
        (True, ("--image_size=32",), "--image_size=64, not 32"),
        (True, ("--models=vae",), "does nothing here"),
        (True, ("--measure=latency",), "does nothing here"),
        (True, ("--terms=adversarial",), "does nothing here"),
    ],
)
def test_a_peer_that_cannot_be_is_refused(command, monkeypatch, is_there, flags, words):
    monkeypatch.setattr(measures.importlib.util, "find_spec", lambda name: "torch" if is_there else None)
    done = command("benchmark", "--peer=torch", *flags)
    assert (done.code, words in done.err) == (2, True), done.err


def test_the_peer_computes_the_same():
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from facezoo.experiments.benchmarks import torch_dfc_vae

    ours, theirs = DFCVAE(), torch_dfc_vae.DFCVAE()
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    encoder = [weight for weight in theirs.encoder.parameters() if weight.requires_grad]
    images = np.random.default_rng(0).uniform(size=(2, 64, 64, 3)).astype(np.float32)
    with torch.no_grad():
        for weight, variable in zip(encoder, ours.encoder.features.trainable_variables, strict=True):
            weight.copy_(torch.tensor(variable.numpy().transpose(axes[len(variable.shape)])))
        found = theirs.encoder[:-1](torch.tensor(images.transpose(0, 3, 1, 2))).numpy()
    expected = np.reshape(ours.encoder.features(images, training=True), (-1, 4, 4, 256))
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), expected, atol=1e-3 * np.abs(expected).max())
    learned = [weight.numel() for weight in theirs.parameters() if weight.requires_grad]
    assert sum(learned) == sum(int(np.prod(weight.shape)) for weight in ours.trainable_variables)


def test_the_peer_of_the_diffusion_autoencoder_has_its_networks():
    pytest.importorskip("torch", reason="needs PyTorch")
    from facezoo.experiments.benchmarks import torch_diffusion

    ours, theirs = DiffusionAutoencoder(), torch_diffusion.DiffusionLoss()
    pairs = (
        (ours.denoiser, theirs.denoiser),
        (ours.detail_encoder, theirs.detail_encoder),
        (ours.detail_decoder, theirs.detail_decoder),
        (ours.finisher, theirs.finisher),
        (ours.autoencoder.decoder, (theirs.held.dense, theirs.held.decoder)),
    )
    for network, modules in pairs:
        fixed = sum(variable.shape[0] for variable in network.variables if "moving" in variable.name)
        parts = modules if isinstance(modules, tuple) else (modules,)
        assert sum(weight.numel() for part in parts for weight in part.parameters()) == network.count_params() - fixed
    learned = [name for name, weight in theirs.named_parameters() if weight.requires_grad]
    assert {name.partition(".")[0] for name in learned} == {"denoiser", "detail_encoder", "detail_decoder", "finisher"}
