"""`facezoo sweep`: what is looked for before its first training, and what becomes of runs that fail."""

import pytest
from command_line import assert_refused
from facezoo.experiments.codes import readiness
from facezoo.experiments.commands import sweep
from facezoo.experiments.errors import UsageError
from facezoo.experiments.tables import BEGIN, END

SWEEP = (
    "[[runs]]\nname = 'first'\nflags = ['--image_size=32']\n[[runs]]\nname = 'second'\n[targets.paper]\npsnr = '> 30'\n"
)
PAGE = f"{BEGIN}\nold\n{END}\n"


@pytest.fixture
def arguments(tmp_path):
    (tmp_path / "sweep.toml").write_text(SWEEP)
    (tmp_path / "page.md").write_text(PAGE)
    places = {"file": "sweep.toml", "out": "out", "table": "page.md"}
    return ("sweep", "--nocompare", *(f"--{flag}={tmp_path / name}" for flag, name in places.items()))


@pytest.mark.usefixtures("empty_folder")
def test_networks_are_looked_for_before_the_folder_is_taken(arguments, command, monkeypatch, tmp_path):
    asked = []

    def find_none(names, sizes):
        asked.append((names, sizes))
        raise UsageError("--metrics=lpips: no weights")

    monkeypatch.setattr(sweep, "check_networks", find_none)
    assert_refused(command(*arguments, "--metrics=psnr,lpips"), "--metrics=lpips: no weights")
    assert asked == [(["psnr", "lpips"], {32, 64})]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("lpips", 64, "--metrics=lpips: lpips_alex.npz is not there"),
        ("lpips", 16, "--metrics=lpips: alex, as LPIPS has it, needs pictures of at least 31 pixels, not 16"),
        ("identity", 64, "--metrics=identity: face_recognition.npz is not there"),
        ("vgg19_distance", 64, "--vgg19_weights names its file"),
        ("recall", 64, "--metrics=recall: the ImageNet weights of vgg16 cannot be downloaded"),
    ],
)
def test_a_network_that_cannot_be_had_is_named(monkeypatch, tmp_path, name, size, said):
    monkeypatch.setenv("FACEZOO_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("keras.applications.VGG16", lambda **options: 1 / 0)  # no download
    with pytest.raises(UsageError, match=said):
        readiness.load_networks([name], [size])


def test_nothing_is_loaded_for_measures_without_networks(monkeypatch):
    monkeypatch.setattr(readiness, "ProcessPoolExecutor", None)
    readiness.check_networks(["psnr", "ssim", "landmark_error"], {64})


@pytest.mark.parametrize("codes", [{"measured": {"second": 2}}, {"trained": {"first": 3}}, {}])
def test_the_page_stays_as_it_is_until_no_run_fails(arguments, command, monkeypatch, tmp_path, codes):
    monkeypatch.setattr(sweep, "_train", lambda team, trial, folder: codes.get("trained", {}).get(trial.name, 0))
    monkeypatch.setattr(sweep, "_measure", lambda team, place, *_: codes.get("measured", {}).get(place.name, 0))
    monkeypatch.setattr(sweep, "make_line", lambda place, measures: {"psnr": f"of {place.name}"})
    done = command(*arguments, "--metrics=psnr")
    page = (tmp_path / "page.md").read_text()
    if not codes:
        assert done.code == 0, done.err
        assert "of first" in page and "of second" in page
        return
    assert done.code in (2, 3)
    assert page == PAGE
    assert "stays as it is until no run fails" in done.err
    assert "of second" in done.out  # of a run that was trained, though it could not be measured
    assert ("of first" in done.out) == ("trained" not in codes)
