"""What the tests of films share."""

import pytest
from facezoo.datasets import detection
from facezoo.experiments.films import following
from squares import find_near, find_squares


@pytest.fixture
def squares(monkeypatch):
    """Squares are taken for faces, wherever they are looked for."""
    monkeypatch.setattr(detection, "find_faces", find_squares)
    monkeypatch.setattr(detection, "find_upright_faces", find_squares)
    monkeypatch.setattr(detection, "find_near", find_near)
    monkeypatch.setattr(detection, "check_installed", lambda: None)
    monkeypatch.setattr(following, "find_recogniser", lambda: None)
