"""`facezoo evaluate --metrics --what`: figures against the functions, intervals, what is missing, bad input."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from command_line import assert_refused, drawn
from facezoo.datasets.clips import procedural_clips, without_clips
from facezoo.experiments.codes import encoding, judging, measure_names
from facezoo.experiments.codes.making import make_batches
from facezoo.experiments.commands import evaluate
from facezoo.experiments.flags import parsing
from facezoo.experiments.runs.run import Run
from facezoo.experiments.training.evaluation import Measurer
from facezoo.losses import ssim
from facezoo.metrics import find_added_flicker, find_flicker, laplacian_variance, lattice, log_lattices, ms_ssim, psnr
from facezoo.models import VideoAutoencoder

pytestmark = pytest.mark.usefixtures("empty_folder")
FREE = "psnr,ssim,ms_ssim,sharpness,lattice"
needs_real_weights = pytest.mark.skipif("FACEZOO_WEIGHTS" not in os.environ, reason="FACEZOO_WEIGHTS is not set")


@pytest.fixture
def no_weights(monkeypatch):
    monkeypatch.delenv("FACEZOO_WEIGHTS", raising=False)


def test_figures_are_those_of_the_functions_over_all_pictures(copied, command, model):
    done = command("evaluate", f"--run_dir={copied}", "--count=70", f"--metrics={FREE}")
    assert done.code == 0, done.err
    kept = json.loads((copied / "metrics.json").read_text())
    images = drawn(range(70))
    made = model.decode(model.encode(images)).numpy()
    expected = {
        "psnr": np.mean(psnr(images, made)),
        "ssim": np.mean(ssim(images, made)),
        "ms_ssim": np.mean(ms_ssim(images, made)),
        "sharpness": np.mean(laplacian_variance(made)) / np.mean(laplacian_variance(images)),
        "lattice": lattice(log_lattices(images), log_lattices(made)),
    }
    assert list(kept) == ["dataset", "split", "count", *expected, "intervals", "model_sha256", "asked"]
    assert kept["asked"] == {"metrics": FREE.split(","), "count": 70}
    assert (kept["dataset"], kept["split"], kept["count"]) == ("procedural_faces", "test", 70)
    for name, value in expected.items():
        assert kept[name] == pytest.approx(value, rel=1e-3), name
        low, high = kept["intervals"][name]
        assert low < kept[name] < high
        (line,) = [line for line in done.out.splitlines() if line.startswith(f"{name} ")]
        assert "of 70" in line
    head, rule, row, place = done.out.strip().splitlines()[-4:]
    assert place == str(copied / "metrics.json")
    assert head == f"| run | dataset | split | count | {FREE.replace(',', ' | ')} |"
    assert set(rule) == {"|", "-", " "}
    assert row.startswith("| copied | procedural_faces | test | 70 | ")


def test_all_says_what_is_missing_and_measures_the_rest(copied, command, no_weights, monkeypatch):
    monkeypatch.setattr("keras.applications.VGG16", lambda **options: 1 / 0)  # no download
    done = command("evaluate", f"--run_dir={copied}", "--count=20", "--metrics=all")
    assert done.code == 0, done.err
    kept = json.loads((copied / "metrics.json").read_text())
    assert {"loss", "reconstruction", "kl", "active_units", "landmark_error", *FREE.split(",")} <= set(kept)
    assert not {"lpips", "kid", "identity"} & set(kept)
    assert all(name in done.err for name in ("lpips", "kid", "identity"))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), {}),
        (("--split=test",), {}),
        (("--split=validation",), {"split": "validation"}),
        (("--data_dir=faces", "--crop=64"), {"data_dir": "faces", "crop": ["64"]}),
        (("--checkpoint=last",), {}),
        (("--checkpoint=best",), {"model": f"copied/{Path('checkpoints', 'best', 'model.keras')}"}),
    ],
)
def test_figures_are_kept_with_what_was_asked_for(flags, told):
    values = parsing.parse(evaluate.define_flags, ["--run_dir=copied", "--metrics=psnr", *flags])
    place = Path("copied", "checkpoints", "best") if values.checkpoint == "best" else Path("copied")
    opened = Run(Path("copied"), None, place / "model.keras")
    assert evaluate._list_asked(values, opened) == {"metrics": ["psnr"]} | told


@needs_real_weights
def test_a_measure_that_gives_no_figure_of_so_few_pictures_is_left_out(copied, command):
    done = command("evaluate", f"--run_dir={copied}", "--count=5", "--metrics=kid")
    assert done.code == 0, done.err
    kept = json.loads((copied / "metrics.json").read_text())
    assert (kept["count"], "kid" in kept, kept["asked"]) == (5, False, {"metrics": ["kid"], "count": 5})
    assert "compare sets" not in done.err


def test_that_few_pictures_say_little_of_sets_is_told(copied, command):
    for count, is_few in ((40, True), (100, False)):
        done = command("evaluate", f"--run_dir={copied}", f"--count={count}", "--metrics=precision,recall")
        assert done.code == 0, done.err
        assert (f"precision, recall compare sets: of only {count} pictures they say little" in done.err) == is_few


@pytest.mark.parametrize("what", ["samples", "morphs", "edits"])
def test_what_else_is_made_is_measured_in_a_file_of_its_own(copied, command, what, monkeypatch):
    monkeypatch.setattr("facezoo.experiments.codes.making.MOST_FITTED", 100)
    if what == "edits":
        assert command("attributes", f"--run_dir={copied}", "--count=200").code == 0
    run = ("evaluate", f"--run_dir={copied}", "--count=24", f"--what={what}")
    assert command(*run, "--metrics=sharpness,lattice").code == 0
    kept = json.loads((copied / f"metrics-{what}.json").read_text())
    assert kept["what"] == what
    assert kept["sharpness"] > 0
    assert not (copied / "metrics.json").exists()
    assert kept["count"] == {"samples": 24, "morphs": 6, "edits": 24}[what]


def test_flicker_is_measured_frame_by_frame_of_a_model_of_pictures(copied, command, model):
    names = "psnr,flicker,added_flicker,landmark_jitter"
    flags = ("--what=clips", "--dataset=procedural_clips", "--frames=4", "--count=3", f"--metrics={names}")
    done = command("evaluate", f"--run_dir={copied}", *flags)
    assert done.code == 0, done.err
    kept = json.loads((copied / "metrics-clips.json").read_text())
    assert (kept["what"], kept["dataset"], kept["count"]) == ("clips", "procedural_clips", 3)
    clips = procedural_clips("test", image_size=32, frames=4).load(np.arange(3))["clip"] / np.float32(255)
    frames = clips.reshape(-1, 32, 32, 3)
    made = model.decode(model.encode(frames)).numpy()
    of_clips = made.reshape(clips.shape)
    assert kept["psnr"] == pytest.approx(np.mean(psnr(frames, made)), rel=1e-4)
    assert kept["flicker"] == pytest.approx(find_flicker(of_clips).mean() / find_flicker(clips).mean(), rel=1e-3)
    assert kept["added_flicker"] == pytest.approx(find_added_flicker(clips, of_clips).mean(), rel=1e-3)
    assert kept["landmark_jitter"] >= 0
    low, high = kept["intervals"]["psnr"]  # of three clips, not of twelve frames
    by_clip = psnr(frames, made).numpy().reshape(3, 4).mean(axis=1)
    assert by_clip.min() <= low <= high <= by_clip.max()


def test_a_model_of_clips_is_measured_by_clips_some_frames_at_a_time(monkeypatch):
    monkeypatch.setattr(encoding, "FRAMES_AT_ONCE", 8)
    model = VideoAutoencoder(image_size=32, filters=(4,), latent_dim=4)
    source = procedural_clips("test", image_size=32, frames=4)
    examples = source.load(np.arange(5))
    clips = {name: examples[name] / np.float32(255) for name in ("image", "clip")}
    expected = model(clips)["reconstruction"]
    assert np.abs(expected - model(clips["image"])["reconstruction"]).max() > 1e-4
    for kind, count in (("reconstructions", 1), ("clips", 4)):
        made = [batch.pairs[1] for batch in make_batches(kind, None, model, source, 5)]
        assert [len(pictures) for pictures in made] == [2 * count, 2 * count, count]
        np.testing.assert_allclose(np.concatenate(made)[2 * (count > 1) :: count], expected, atol=1e-5)
    as_trained = Measurer(model, tf.distribute.get_strategy())(source, 8, 5).values["psnr"]
    made = np.concatenate([batch.pairs[1] for batch in make_batches("reconstructions", None, model, source, 5)])
    assert np.mean(psnr(clips["image"], made)) == pytest.approx(as_trained, rel=1e-5)
    (alone,) = make_batches("reconstructions", None, model, without_clips(source), 5)  # as of pictures alone
    np.testing.assert_allclose(alone.pairs[1], model(clips["image"])["reconstruction"], atol=1e-5)


@needs_real_weights
def test_the_networks_of_the_field_measure_reconstructions_and_morphs(copied, command):
    names = "lpips,kid,frechet,precision,recall,identity"
    assert command("evaluate", f"--run_dir={copied}", "--count=24", f"--metrics={names}").code == 0
    kept = json.loads((copied / "metrics.json").read_text())
    assert list(kept["intervals"]) == ["lpips", "identity", "kid", "frechet", "precision", "recall"]
    assert 0 < kept["lpips"] < 1.5
    assert 0 <= kept["precision"] <= 1
    done = command("evaluate", f"--run_dir={copied}", "--count=40", "--what=morphs", "--metrics=path_length,lpips")
    assert done.code == 0, done.err
    kept = json.loads((copied / "metrics-morphs.json").read_text())
    assert kept["path_length"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics=loudness"], ["--metrics=loudness: of reconstructions there are all, psnr, ssim"]),
        (["--what=samples"], ["--what=samples needs --metrics=all, or names of some"]),
        (["--what=samples", "--metrics=psnr"], ["--metrics=psnr: of samples there are all, kid"]),
        (["--metrics=lpips"], ["--metrics=lpips: lpips_alex.npz is not there", "FACEZOO_WEIGHTS"]),
        (["--metrics=vgg19_distance"], ["--metrics=vgg19_distance: --vgg19_weights names its file"]),
        (["--what=edits", "--metrics=sharpness"], ["attributes.npz is not there"]),
        (["--what=morphs", "--metrics=sharpness", "--count=3"], ["morphs need at least 4 pictures"]),
        (
            ["--what=clips", "--metrics=flicker"],
            ["--what=clips: procedural_faces/test has no clips", "--dataset=clips"],
        ),
        (["--metrics=flicker"], ["--metrics=flicker: of reconstructions there are all"]),
        (
            ["--what=clips", "--metrics=flicker", "--dataset=procedural_clips", "--frames=2"],
            ["--what=clips: --frames=2 must be at least 3"],
        ),
    ],
)
def test_bad_input_is_one_line(finished, command, no_weights, arguments, words):
    assert_refused(command("evaluate", f"--run_dir={finished}", *arguments), *words)
    assert not list(finished.glob("metrics*.json"))


def test_every_measure_that_has_a_name_is_made():
    assert list(judging.MEASURES) == list(measure_names.KINDS)
