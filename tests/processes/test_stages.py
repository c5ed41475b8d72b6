"""The stages in which `make test` runs the tests."""

import collections

import stages


def test_every_file_is_in_one_stage():
    files = [path for paths in stages.list_stages(with_processes=True).values() for path in paths]
    assert len(files) == len({*files})
    assert {*files} == {path for path in stages.TESTS.rglob("test_*.py") if path.parent.name != "long"}
    without = [path for paths in stages.list_stages(with_processes=False).values() for path in paths]
    assert {*files} - {*without} == {*(stages.TESTS / "processes").glob("test_*.py")}


def test_what_is_named_is_there():
    assert all(stages.list_stages(with_processes=True).values())
    assert all((stages.TESTS / folder).is_dir() for folders in stages.TOGETHER for folder in folders)


def test_a_stage_tells_what_it_came_to(tmp_path):
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False, 'by intent'\n"
        "def test_left_out(): pytest.skip('by intent')\n"
    )
    outcome = stages.run("some", [tmp_path / "test_some.py"], ["--rootdir", str(tmp_path), "-k", "not left_out"])
    assert not outcome.is_good
    assert outcome.counts == {"passed": 1, "failure": 1}
    assert "by intent" in outcome.output
    assert outcome.megabytes > 0
    nothing = stages.run("some", [tmp_path / "test_some.py"], ["--rootdir", str(tmp_path), "-k", "of_another_stage"])
    assert nothing.is_good
    assert nothing.counts == collections.Counter()
