"""Every command's help, and the exit code of each way to end."""

import errno
import itertools
import os
import subprocess
import sys
import time

import pytest
from absl import logging
from command_line import SCRIPT, SOFTWARE, assert_refused, started
from facezoo.datasets.alignment import POINT_NAMES
from facezoo.experiments import cli
from facezoo.experiments.training import launcher
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_help_is_one_line_for_each_command(command):
    done = command("--help")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()[2:]]
    assert [words[0] for words in lines] == list(cli.COMMANDS)
    assert all(len(words) > 3 for words in lines)
    assert command().out == command("help").out == done.out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_a_command_lists_its_flags(command, name):
    done = command(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"facezoo {name}: ")
    expected = {"train": ["--model", "--set", "--seed"], "evaluate": ["--split"], "morph": ["--path", "--steps"]}
    assert all(f"  {flag}\n" in done.out for flag in [*expected.get(name, []), "--flagfile"])


def test_help_tells_defaults_that_say_something(command):
    lines = command("align", "--help").out.splitlines()
    defaults = {flag.strip(): "(default" in text for flag, text in itertools.pairwise(lines) if flag.startswith("  --")}
    assert defaults["--size"]
    assert defaults["--margin"]  # it is 0
    assert not defaults["--in"]


def test_what_absl_adds_to_the_help_and_to_errors_is_put_into_our_words(command):
    done = command("morph", "--help")
    assert "A face on the way from the first to the last. Give it again for more.\n" in done.out
    assert_refused(command("morph"), "flag --start is required: First face: a picture file")


def test_words_without_flags_and_names_of_others_are_led_to_ours(command):
    assert_refused(command("morph", "a.jpg", "b c.jpg"), "write --flag=value, as --start=a.jpg --end='b c.jpg'")
    assert_refused(command("morph", "--start", "a.jpg"), "--end is required")
    assert_refused(command("sample", "runs/a"), "write --flag=value, as --run_dir=runs/a")
    assert_refused(command("analyse", "--run_dir=runs/a", "smiling"), "'smiling' is no flag: write --flag=value")
    assert_refused(command("morph", "--frames=9"), "no flag --frames; did you mean --steps?")
    assert_refused(command("train", "--lr=1"), "did you mean --learning_rate?")
    assert_refused(command("models", "--frames=9"), "Unknown command line flag 'frames'")


def test_warnings_come_without_the_place_in_the_source(capsys):
    cli.run(["models"])
    logging.warning("no face in %s", "a.jpg")
    assert capsys.readouterr().err == "WARNING: no face in a.jpg\n"


def test_help_and_flag_errors_answer_without_tensorflow():
    code = """if True:
        import sys
        from facezoo.experiments import cli
        assert cli.run(["--help"]) == cli.run(["train", "--help"]) == cli.run(["datasets"]) == 0
        for wrong in ("--modle=vae", "--epochs=-1", "--learning_rate=banana", "--precision=float7", "--crop=1,2"):
            assert cli.run(["train", wrong]) == 2
        assert cli.run(["evaluate"]) == cli.run(["trian"]) == cli.run(["train", "--dataset=nope"]) == 2
        assert cli.run(["models"]) == 0
        for name in ("no_such", "no/such", "no_such.keras", "no_such.npz"):
            assert cli.run(["sample", f"--run_dir={name}"]) == 2
        for wrong in (["morph", "--start=no.jpg", "--end=no.jpg"], ["edit", "--image=no.jpg", "--attribute=smiling"],
                      ["evaluate", "--metrics=psnrr"], ["encode", "--in=no"],
                      ["swap", "--in=no", "--to=ann", "--out=out"]):
            assert cli.run([*wrong, "--run_dir=vae"]) == 2
        assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 20


def test_the_script_passes_the_exit_code_on():
    done = started("--version")
    assert (done.returncode, done.stdout.strip()) == (0, SOFTWARE)
    assert_refused(started("train", "--epochs=-1"), "--epochs")


@pytest.mark.parametrize("arguments", [("train", "--help"), ("datasets",), ("train", "--epochs=-1")])
def test_where_nobody_reads_it_ends_quietly(arguments):
    """As after `| head`; the last one speaks on stderr, which goes to the same pipe here."""
    reader, writer = os.pipe()
    os.close(reader)
    stderr = writer if arguments[-1] == "--epochs=-1" else subprocess.PIPE
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run([SCRIPT, *arguments], stdout=closed, stderr=stderr, timeout=60, check=False)
    assert (done.returncode, done.stderr or b"") == (141, b"")


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("arguments", "code"), [("datasets", 0), ("train --epochs=-1", 2)])
def test_closed_streams_are_no_fault(streams, arguments, code, empty_folder):
    """As cron and some services start programs."""
    done = subprocess.run(f"exec {SCRIPT} {arguments} {streams}", shell=True, timeout=60, check=False)
    assert done.returncode == code
    assert list(empty_folder.iterdir()) == []


def test_what_is_written_to_a_closed_stream_goes_into_no_file(tmp_path):
    drawing = "datasets --show=procedural_faces --count=2 --image_size=32 --out=sheet.png"
    subprocess.run(f"exec {SCRIPT} {drawing} <&- >&- 2>&-", shell=True, cwd=tmp_path, timeout=60, check=True)
    with Image.open(tmp_path / "sheet.png") as sheet:
        sheet.load()


POISONED = ("json", "numpy", "multiprocessing", "multiprocessing/spawn", "PIL", "keras", "random", "facezoo")


@pytest.mark.parametrize(
    "arguments",
    [
        "align --in=. --out={elsewhere} --landmarks={points}",
        "launch --workers=1 --restarts=0 -- train --model=cae --image_size=32 --set=filters=4,4 --batch_size=4 "
        "--steps_per_epoch=1 --validation_steps=1 --epochs=1 --run_dir={elsewhere}",
        "benchmark --measure=startup --models=cae --image_size=32 --alternations=1 --seconds=0.1",
    ],
    ids=["align", "launch", "benchmark"],
)
def test_no_file_of_the_working_folder_is_run(arguments, tmp_path):
    here = tmp_path / "here"
    for name in POISONED:
        module = here / f"{name}.py" if name != "multiprocessing" else here / name / "__init__.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(f"open({str(tmp_path / 'run')!r}, 'a').write({name!r})\n")
    Image.new("RGB", (60, 60)).save(here / "a.png")
    header = ",".join(["file", *(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy")])
    (tmp_path / "points.csv").write_text(f"{header}\na.png,20,20,40,20,30,30,22,40,38,40\n")
    command = arguments.format(elsewhere=tmp_path / "out", points=tmp_path / "points.csv").split()
    done = subprocess.run([SCRIPT, *command], cwd=here, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run").exists(), (tmp_path / "run").read_text()


def test_another_broken_pipe_is_told(command, monkeypatch):
    def fail(values):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(cli.COMMANDS["models"], "run", fail)
    done = command("models")
    assert (done.code, done.err) == (2, "facezoo: Broken pipe\n")


def test_workers_that_nobody_reads_are_not_started_again(monkeypatch):
    monkeypatch.setattr(launcher.Team, "work", lambda team: (0, 141))
    assert cli.run(["launch", "--workers=2", "--", "train", "--run_dir=run"]) == 141


def test_a_fault_of_ours_is_told_from_the_user_s(command, monkeypatch):
    def fail(values):
        raise RuntimeError("broken")

    monkeypatch.setattr(cli.COMMANDS["models"], "run", fail)
    done = command("models")
    assert done.code == 1
    assert "RuntimeError: broken" in done.err
    assert "fault of facezoo's" in done.err


def test_an_interruption_is_no_fault(command, monkeypatch):
    def interrupted(values):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.COMMANDS["models"], "run", interrupted)
    done = command("models")
    assert (done.code, done.err) == (130, "facezoo: interrupted\n")
