"""`facezoo sweep`: its runs are those of `facezoo train`, and it goes on."""

import json

from command_line import photographs_in, started
from facezoo.experiments.tables import BEGIN, END

SWEEP = """
flags = ["--image_size=32", "--steps_per_epoch=1", "--epochs=1", "--batch_size=2", "--validation_steps=1",
  "--set=filters=4,4"]
[[runs]]
name = "first"
flags = ["--latent_dim=2"]
[[runs]]
name = "second"
flags = ["--latent_dim=3"]
"""


def test_runs_are_trained_once_and_another_sweep_is_refused(tmp_path):
    (tmp_path / "sweep.toml").write_text(SWEEP)
    arguments = ("sweep", f"--file={tmp_path / 'sweep.toml'}", f"--out={tmp_path / 'out'}", "--nocompare")
    done = started(*arguments)
    assert done.returncode == 0, done.stderr
    models = [tmp_path / "out" / name / "model.keras" for name in ("first", "second")]
    times = [model.stat().st_mtime_ns for model in models]
    again = started(*arguments)
    assert again.returncode == 0, again.stderr
    assert [model.stat().st_mtime_ns for model in models] == times
    (tmp_path / "sweep.toml").write_text(SWEEP.replace("latent_dim=3", "latent_dim=4"))
    refused = started(*arguments)
    assert refused.returncode == 2
    assert "another sweep" in refused.stderr


def test_a_run_is_measured_once_and_a_page_has_its_figures(tmp_path, monkeypatch):
    monkeypatch.setenv("FACES", str(photographs_in(tmp_path / "faces", 40)))
    (tmp_path / "sweep.toml").write_text(
        'flags = ["--image_size=32", "--steps_per_epoch=1", "--epochs=1", "--batch_size=2", "--set=filters=4,4"]\n'
        '[targets.paper]\npsnr = "> 30"\n'
        '[[runs]]\nname = "first"\nflags = ["--dataset=folder", "--data_dir=${FACES}"]\n'
    )
    page = tmp_path / "page.md"
    page.write_text("# Before\n\n")
    arguments = ("sweep", f"--file={tmp_path / 'sweep.toml'}", f"--out={tmp_path / 'out'}")
    arguments += ("--metrics=psnr,ssim", f"--table={page}")
    refused = started(*arguments)
    assert refused.returncode == 2
    assert "no place for a table" in refused.stderr
    assert not (tmp_path / "out").exists()
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\nAfter.\n")
    done = started(*arguments)
    assert done.returncode == 0, done.stderr
    before, _, rest = page.read_text().partition(f"{BEGIN}\n")
    table, _, after = rest.partition(f"\n{END}")
    assert (before, after) == ("# Before\n\n", "\nAfter.\n")
    names, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    target, row = (dict(zip(names, line, strict=True)) for line in lines)
    assert names == ["run", "data", "pictures", "psnr", "ssim", "minutes"]
    assert (target["run"], target["psnr"], target["ssim"]) == ("paper", "> 30", "")
    figures = tmp_path / "out" / "first" / "metrics.json"
    assert (row["run"], row["psnr"]) == ("first", f"{json.loads(figures.read_text())['psnr']:.5g}")
    measured = figures.stat().st_mtime_ns
    again = started(*arguments)
    assert again.returncode == 0, again.stderr
    assert figures.stat().st_mtime_ns == measured
    assert page.read_text() == f"{before}{BEGIN}\n{table}\n{END}{after}"


def test_measures_without_their_networks_are_refused_before_the_first_training(tmp_path):
    (tmp_path / "sweep.toml").write_text(SWEEP)
    arguments = ("sweep", f"--file={tmp_path / 'sweep.toml'}", f"--out={tmp_path / 'out'}", "--metrics=psnr,lpips")
    refused = started(*arguments, FACEZOO_WEIGHTS=str(tmp_path), FACEZOO_CACHE_DIR=str(tmp_path))
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("facezoo: --metrics=lpips: lpips_alex.npz is not there")
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "out").exists()
