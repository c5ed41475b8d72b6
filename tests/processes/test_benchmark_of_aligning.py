"""Aligning as the benchmark times it, with processes of its own."""

import pytest
from facezoo.experiments.benchmarks.contestants import Contestant
from facezoo.experiments.benchmarks.usage import Aligning


def test_aligning_can_be_timed_and_ends():
    pytest.importorskip("mtcnn")
    contestant = Contestant(Aligning, 1)
    assert contestant.seconds(1) > 0.0
    contestant.close()
