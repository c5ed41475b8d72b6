"""`facezoo evaluate`: each number against the same number from the formula."""

import json
import shutil
from pathlib import Path

import facezoo
import numpy as np
import pytest
from command_line import CAE_FLAGS, drawn
from facezoo.datasets import DATASETS
from skimage.metrics import structural_similarity

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize("count", [37, 70])
def test_evaluate_counts_each_example_once(copied, command, model, count):
    done = command("evaluate", f"--run_dir={copied}", f"--count={count}")
    assert done.code == 0
    measured = json.loads((copied / "metrics.json").read_text())
    assert (measured["dataset"], measured["split"], measured["count"]) == ("procedural_faces", "test", count)

    images = drawn(range(count)).astype(np.float64)
    mean, log_var = (values.numpy().astype(np.float64) for values in model.encoder(np.float32(images)))
    decoded = model.decode(mean).numpy().astype(np.float64)
    errors = ((images - decoded) ** 2).mean(axis=(1, 2, 3))
    divergence = -0.5 * (1 + log_var - mean**2 - np.exp(log_var)).sum(axis=1)
    similarity = [
        structural_similarity(
            *pair, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
        )
        for pair in zip(images, decoded, strict=True)
    ]
    np.testing.assert_allclose(measured["psnr"], (-10 * np.log10(errors)).mean(), rtol=1e-4)
    np.testing.assert_allclose(measured["ssim"], np.mean(similarity), atol=1e-4)
    np.testing.assert_allclose(measured["reconstruction"], errors.mean(), rtol=1e-4)
    np.testing.assert_allclose(measured["kl"], divergence.mean(), rtol=1e-3)
    np.testing.assert_allclose(measured["loss"], 1000 * errors.mean() + divergence.mean(), rtol=1e-4)
    assert measured["active_units"] == (mean.var(axis=0) > 0.01).sum()
    for name, value in measured.items():
        if name in ("model_sha256", "asked"):
            continue
        line = next(line for line in done.out.splitlines() if line.split()[0] == name)
        assert line.split()[1].startswith(str(value)[:3])


def test_evaluate_on_another_data_set_takes_its_whole_split(copied, command):
    done = command("evaluate", f"--run_dir={copied}", "--dataset=digits", "--split=validation")
    assert done.code == 0
    measured = json.loads((copied / "metrics.json").read_text())
    whole = len(DATASETS["digits"]("validation"))
    assert (measured["dataset"], measured["split"], measured["count"]) == ("digits", "validation", whole)


def test_somebody_else_s_figures_stay(command, empty_folder):
    (empty_folder / "vae").mkdir()
    (empty_folder / "vae" / "metrics.json").write_text('{"accuracy": 0.9}')
    done = command("evaluate", "--run_dir=vae", "--count=1")
    assert (done.code, "vae/metrics.json is there, and not from" in done.err) == (2, True)
    assert (empty_folder / "vae" / "metrics.json").read_text() == '{"accuracy": 0.9}'


def test_figures_of_other_pictures_stay(copied, command):
    def measure(*asked):
        done = command("evaluate", f"--run_dir={copied}", *asked)
        assert done.code == 0, done.err
        place = Path(done.out.splitlines()[-1])
        return place.name, json.loads(place.read_text())

    name, few = measure("--count=8", "--metrics=psnr")
    assert (name, few["count"], few["asked"]) == ("metrics.json", 8, {"count": 8, "metrics": ["psnr"]})
    name, whole = measure("--metrics=sharpness")
    assert (name, whole["count"]) == ("metrics.json", 2000)  # what is of the whole split is there
    assert json.loads((copied / "metrics-1.json").read_text()) == few
    name, more = measure("--count=8", "--metrics=ssim")
    assert name == "metrics-1.json" and more == {**few, **more}  # beside those of the same pictures
    assert more["asked"]["metrics"] == ["psnr", "ssim"] and more["intervals"].keys() == {"psnr", "ssim"}
    assert measure("--count=9", "--metrics=psnr")[0] == "metrics-2.json"
    assert json.loads((copied / "metrics.json").read_text()) == whole
    facezoo.load(copied).save(copied / "model.keras")
    assert measure("--count=8", "--metrics=psnr")[0] == "metrics.json"  # what was there is of an earlier state


def test_figures_of_another_model_by_the_same_path_stay_apart(copied, command):
    shutil.copy(copied / "model.keras", "mine.keras")
    facezoo.load("mine.keras")
    assert command("evaluate", "--run_dir=mine.keras", "--count=8", "--metrics=psnr").code == 0
    model = facezoo.load("mine.keras")
    model.decoder.set_weights([0.9 * weight for weight in model.decoder.get_weights()])
    model.save("mine.keras")
    done = command("evaluate", "--run_dir=mine.keras", "--count=8", "--metrics=ssim")
    assert done.out.splitlines()[-1] == "mine/metrics-1.json"
    assert "psnr" not in json.loads(Path("mine/metrics-1.json").read_text())


def test_a_spatial_code_has_no_active_units(train, command):
    run = train("run", *CAE_FLAGS)
    assert command("evaluate", f"--run_dir={run}", "--count=5").code == 0
    assert set(json.loads((run / "metrics.json").read_text())) == {
        "dataset",
        "split",
        "count",
        "loss",
        "reconstruction",
        "psnr",
        "ssim",
        "model_sha256",
        "asked",
    }
