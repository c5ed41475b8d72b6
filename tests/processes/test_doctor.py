"""`facezoo doctor`, and the process in which it tries things."""

import functools
import operator
import os
import signal

import pytest
from command_line import started
from facezoo.experiments.machine.trial import Trial, TrialError

# Of what another process can import, which this file need not be.
KILL_ITSELF = functools.partial(signal.raise_signal, signal.SIGKILL)
DIVIDE_BY_ZERO = functools.partial(operator.truediv, 1, 0)


def test_a_process_that_dies_is_told_of():
    with Trial() as trial:
        assert trial.run(os.getpid) != os.getpid()
        with pytest.raises(TrialError, match="ZeroDivisionError: division by zero") as failed:
            trial.run(DIVIDE_BY_ZERO)
        assert not failed.value.has_ended
        with pytest.raises(TrialError, match="ended by SIGKILL") as ended:
            trial.run(KILL_ITSELF)
        assert ended.value.has_ended


def test_the_doctor_tries_all_parts(tmp_path):
    done = started("doctor", CUDA_VISIBLE_DEVICES="-1")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1:3] for line in lines if " test " in line] == [
        ["test", name] for name in ("warp", "film", "codes", "training")
    ]
    assert lines[-1] == "facezoo runs here"
    assert not [line for line in lines if line.startswith("fault")]
