"""What was measured of a finished run, as a line of a table."""

import pytest
from facezoo.experiments.runs.results import tell_minutes


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0.0"), (90, "1.5"), (598, "10"), (63 * 60, "63"), (104 * 60, "104"), (6000 * 60, "6000")]
)
def test_minutes_are_told_as_people_do(seconds, told):
    assert tell_minutes(seconds) == told
