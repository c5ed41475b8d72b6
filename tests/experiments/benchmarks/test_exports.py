"""`facezoo benchmark --measure=export`: a line for each format and precision, be it why there is no file."""

import pytest
from command_line import assert_refused
from facezoo.experiments.benchmarks import exports
from facezoo.experiments.exporting.formats import FORMATS


@pytest.fixture
def few(monkeypatch):
    """Keras' files of decoders alone, in two precisions."""
    monkeypatch.setattr(exports, "FORMATS", {"keras": FORMATS["keras"]})
    monkeypatch.setattr(exports, "PRECISIONS", ("float32", "int4"))
    monkeypatch.setattr(exports, "PARTS", ("decoder",))


def test_it_writes_a_table_into_a_page(few, finished, command, tmp_path):
    page = tmp_path / "page.md"
    done = command("benchmark", "--measure=export", f"--exported={finished}", f"--page={page}")
    assert done.code == 0, done.err
    head, _, held, refused = page.read_text().splitlines()[1:-1]
    assert head.startswith("| model | part | format | precision | KB | largest difference | PSNR loss, dB | ms |")
    assert "| decoder | keras | float32 |" in held
    assert held.split("|")[7].strip() == "0.00"
    assert "holds float32 and float16 alone, not int4: take litert or onnx" in refused


def test_its_flags_are_its_own(few, command, tmp_path):
    assert_refused(command("benchmark", "--exported=vae"), "--exported does nothing without --measure=export")
    flags = ("benchmark", "--measure=export")
    assert_refused(command(*flags, "--exported=no_such"), "no_such")
    assert_refused(command(*flags, f"--page={tmp_path / 'no' / 'page.md'}"), "there is no folder")
