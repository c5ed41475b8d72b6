"""`facezoo benchmark --measure=export`: a line for each format and precision, be it why there is no file."""

import pytest
from command_line import assert_refused
from facezoo.experiments.benchmarks import exports
from facezoo.experiments.exporting.formats import FORMATS


@pytest.fixture
def few(monkeypatch):
    """Decoders alone, in two precisions, of which Keras' files hold one; for ONNX a package is missing."""
    monkeypatch.setattr(exports, "FORMATS", {name: FORMATS[name] for name in ("keras", "onnx")})
    monkeypatch.setattr(type(FORMATS["onnx"]), "packages", ("no_such_package",))
    monkeypatch.setattr(exports, "PRECISIONS", ("float32", "int4"))
    monkeypatch.setattr(exports, "PARTS", ("decoder",))


def test_it_writes_a_table_into_a_page(few, finished, command, tmp_path):
    page = tmp_path / "page.md"
    done = command("benchmark", "--measure=export", f"--exported={finished}", f"--page={page}")
    assert done.code == 0, done.err
    head, _, held, refused, _ = page.read_text().splitlines()[1:-1]  # none of Keras' in int4
    assert head.startswith("| model | part | format | precision | KB | largest difference | PSNR loss, dB | ms |")
    assert "| decoder | keras | float32 |" in held
    assert held.split("|")[7].strip() == "0.00"
    assert "| decoder | onnx | float32 |" in refused
    assert "no_such_package" in refused


def test_its_flags_are_its_own(few, command, tmp_path):
    assert_refused(command("benchmark", "--exported=vae"), "--exported does nothing without --measure=export")
    flags = ("benchmark", "--measure=export")
    assert_refused(command(*flags, "--exported=no_such"), "no_such")
    assert_refused(command(*flags, f"--page={tmp_path / 'no' / 'page.md'}"), "there is no folder")
