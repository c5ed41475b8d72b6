"""Machines with too little memory or a wrong clock are told of in one line."""

import subprocess
import time

import pytest
from command_line import SCRIPT, assert_refused
from facezoo.experiments.commands import models
from facezoo.experiments.errors import is_of_memory
from facezoo.experiments.runs.run import Run


def test_a_clock_before_archives_can_tell_times_is_told_of(command, monkeypatch):
    monkeypatch.setattr(time, "localtime", lambda seconds=0.0: time.gmtime(0.0))
    assert_refused(command("models"), "the clock of this machine says 1970-01-01: set it")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        ValueError("{{function_node __wrapped__PyFunc}} MemoryError: Unable to allocate 3.64 TiB for an array"),
    ],
)
def test_too_little_memory_is_told_of(command, finished, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(Run, "model", fail)
    assert_refused(command("evaluate", f"--run_dir={finished}", "--count=8"), "there is not enough memory")


def test_what_led_to_an_error_is_looked_at_and_others_are_not_taken_for_it(command, monkeypatch):
    try:
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("a batch could not be read") from error
    except ValueError as error:
        assert is_of_memory(error)

    def fail(values):
        raise ValueError("a fault")

    monkeypatch.setattr(models, "run", fail)
    done = command("models")
    assert (done.code, "a fault of facezoo's" in done.err) == (1, True)


def test_a_limit_of_the_shell_is_told_of(finished, empty_folder):
    line = f"ulimit -v 1000000; exec {SCRIPT} evaluate --run_dir={finished} --count=8"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    assert_refused(done, "there is not enough memory", "ulimit -v")
