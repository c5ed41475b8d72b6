"""Every command's help, and the exit code of each way to end."""

import itertools
import subprocess
import sys
import time

import pytest
from command_line import SOFTWARE, assert_refused, started
from facezoo.experiments import cli

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


def test_help_and_flag_errors_answer_without_tensorflow():
    code = """if True:
        import sys
        from facezoo.experiments import cli
        assert cli.run(["--help"]) == cli.run(["train", "--help"]) == cli.run(["datasets"]) == 0
        for wrong in ("--modle=vae", "--epochs=-1", "--learning_rate=banana", "--precision=float7", "--crop=1,2"):
            assert cli.run(["train", wrong]) == 2
        assert cli.run(["evaluate"]) == cli.run(["trian"]) == cli.run(["train", "--dataset=nope"]) == 2
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
