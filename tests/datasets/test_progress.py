"""Progress bars: what they tell."""

import re

import pytest
from facezoo.datasets import progress


@pytest.mark.parametrize(
    ("unit", "told"), [(None, r"aligning: +50%\|.*\| 1/2 \[[\d:]+<[\d:?]+\]"), ("batch", "s/batch")]
)
def test_a_bar_tells_a_rate_only_with_its_unit(monkeypatch, capsys, unit, told):
    monkeypatch.setattr(progress, "PROGRESS_AFTER_SECONDS", 0)
    clock = iter(range(0, 1000, 10))
    with progress.progress_bar("aligning", total=2, unit=unit) as bar:
        monkeypatch.setattr(bar, "_time", lambda: float(bar.start_t + next(clock)))
        next(clock)
        bar.update()
        bar.refresh()
    said = capsys.readouterr().err
    assert re.search(told, said), said
    assert "s/]" not in said
