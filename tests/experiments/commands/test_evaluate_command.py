"""`facezoo evaluate`: each number against the same number from the formula."""

import json

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
        if name == "asked":
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
    (copied / "metrics.json").unlink(missing_ok=True)

    def measure(*asked):
        done = command("evaluate", f"--run_dir={copied}", *asked)
        assert done.code == 0, done.err
        return done.out.splitlines()[-1], json.loads((copied / "metrics.json").read_text())

    line, whole = measure("--count=70")
    assert line == str(copied / "metrics.json")
    line, few = measure("--count=8", "--metrics=psnr")
    assert line == f"{copied / 'metrics-1.json'}: what was measured before, of other pictures"
    assert json.loads((copied / "metrics-1.json").read_text()) == whole
    assert (few["count"], few.keys() & {"ssim", "kl"}) == (8, set())
    line, more = measure("--count=8", "--metrics=ssim")
    assert line == str(copied / "metrics.json")
    assert more == {**few, **more}  # and the others are as they were
    assert more["asked"] == {"count": 8, "metrics": ["psnr", "ssim"]}
    assert more["intervals"].keys() == {"psnr", "ssim"}
    assert sorted(path.name for path in copied.glob("metrics*.json")) == ["metrics-1.json", "metrics.json"]


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
        "asked",
    }
