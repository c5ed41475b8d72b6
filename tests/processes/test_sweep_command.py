"""`facezoo sweep`: its runs are those of `facezoo train`, and it goes on."""

from command_line import started

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
