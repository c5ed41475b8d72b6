"""What is said of the stages of a longer work: which one begins, and how long all of it will still take."""

from facezoo.experiments.training import telling


def test_the_time_left_follows_the_pace_of_what_is_done(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(telling, "announce", said.append)
    now = [0.0]
    stages = telling.Stages({"first": 60.0, "second": 120.0, "third": 180.0}, 4, lambda: now[0])
    stages.begin(2, "first")
    now[0] += 30.0  # twice as fast as was thought
    stages.end("first")
    stages.begin(3, "second")
    now[0] += 150.0
    stages.end("second")
    stages.begin(4, "third")
    assert said == [
        "stage 2 of 4, first: about 6 minutes left for all",
        "stage 3 of 4, second: about 2 minutes left for all",
        "stage 4 of 4, third: about 3 minutes left for all",
    ]
