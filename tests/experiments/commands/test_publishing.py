"""What `facezoo publish` writes: weights, card, page and pictures, all of them at once."""

import json
import os

import numpy as np
import pytest
from command_line import SOFTWARE, assert_refused, photographs_in, read_png, run_of
from facezoo import files
from facezoo.datasets.manifest import Cut
from facezoo.datasets.packed import Origin, describe_origin, parse_origin
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.codes import card_measures, judging
from facezoo.experiments.codes.portrait import page, portrait
from facezoo.experiments.faces.origins import find_data_crop, find_data_cut
from facezoo.experiments.flags import parsing
from facezoo.experiments.runs.run import open_run
from facezoo.models import VAE, CodePrior, FaceMapping


@pytest.fixture(autouse=True)
def no_networks(monkeypatch):
    """Cards tell what is measured without any."""
    monkeypatch.delenv("FACEZOO_WEIGHTS", raising=False)


@pytest.fixture
def run(copied):
    return copied.rename(copied.parent / "My run, 2")


def test_it_is_called_as_the_run_and_shows_pictures(run, command, tmp_path):
    out = tmp_path / "out"
    done = command("publish", f"--run_dir={run}", f"--out={out}")
    assert done.code == 0, done.err
    assert sorted(path.name for path in out.iterdir()) == [f"My_run_2.{kind}" for kind in ("json", "md", "npz", "png")]
    sheet, told = read_png(out / "My_run_2.png")
    assert sheet.shape == (4 * 128, 8 * 128, 3)
    assert told["Software"] == SOFTWARE
    text = (out / "My_run_2.md").read_text()
    card = json.loads((out / "My_run_2.json").read_text())
    assert "](My_run_2.png)" in text
    assert f"| psnr | {card['metrics']['psnr']:.5g} |" in text
    assert 'facezoo.load("My_run_2.npz")' in text
    assert_refused(command("publish", f"--run_dir={run}", f"--out={out}"), "My_run_2.npz exists")


def test_the_card_tells_what_the_networks_say_that_are_there(run, command, tmp_path, monkeypatch):
    def as_lpips(name, image_size):
        return lambda real, made: np.abs(real - made).mean(axis=(1, 2, 3))

    monkeypatch.setattr(card_measures, "_is_there", lambda file: file == "lpips_alex.npz")
    monkeypatch.setattr(judging, "trace", lambda function: function)
    monkeypatch.setattr("facezoo.metrics.LPIPS", as_lpips)
    assert command("publish", f"--run_dir={run}", "--name=a", f"--out={tmp_path / 'out'}", "--nopictures").code == 0
    told = json.loads((tmp_path / "out" / "a.json").read_text())["metrics"]
    assert set(told) == {"loss", "reconstruction", "kl", "psnr", "ssim", "active_units", "lpips"}
    assert f"| lpips | {told['lpips']:.5g} |" in (tmp_path / "out" / "a.md").read_text()


def test_pictures_may_stay_at_home(run, command, tmp_path):
    assert command("publish", f"--run_dir={run}", "--name=a", f"--out={tmp_path / 'out'}", "--nopictures").code == 0
    assert not (tmp_path / "out" / "a.png").exists()
    assert "![" not in (tmp_path / "out" / "a.md").read_text()


def test_pictures_of_one_s_own_folder_are_shown_only_if_asked_for(command, tmp_path):
    own = photographs_in(tmp_path / "own", 60)
    run = run_of(
        tmp_path / "run", VAE(image_size=32, filters=(4,), latent_dim=2), "vae", "--dataset=folder", f"--data_dir={own}"
    )
    done = command("publish", f"--run_dir={run}", "--name=a", f"--out={tmp_path / 'out'}")
    assert done.code == 0, done.err
    assert "--pictures shows them" in done.out
    assert not (tmp_path / "out" / "a.png").exists()
    assert command("publish", f"--run_dir={run}", "--name=b", f"--out={tmp_path / 'out'}", "--pictures").code == 0
    assert (tmp_path / "out" / "b.png").exists()


def test_the_first_row_is_what_was_given():
    source = procedural_faces("test", image_size=32)
    sheet, rows = portrait(VAE(image_size=32, filters=(4, 4), latent_dim=3), source)
    assert len(rows) == 4
    first = source.load(np.array([0]))["image"][0]
    np.testing.assert_array_equal(sheet[:128:4, :128:4], first)


def test_a_mapping_model_shows_each_person():
    model = FaceMapping(image_size=32, filters=(4, 4), inter_dim=6, people=("ann", "bob"))
    _, rows = portrait(model, procedural_faces("test", image_size=32))
    assert rows[1:] == ["as ann", "as bob"]
    card = {"name": "two", "recipe": None, "facezoo": "1", "seed": 0, "data": "faces", "metrics": {}}
    assert "as ann; as bob" in page(card, model, rows)


def test_a_card_shows_commands_for_what_its_network_does():
    autoencoder = VAE(image_size=32, filters=(4, 4), latent_dim=3)
    card = {"name": "it", "recipe": None, "facezoo": "1", "seed": 0, "data": "faces", "metrics": {}}
    assert "facezoo morph --run_dir=it.npz" in page(card, autoencoder, [])
    of_prior = page(card, CodePrior(autoencoder=autoencoder, width=8, depth=1), [])
    assert "--sampler=flow --prior=it.npz" in of_prior
    assert "--run_dir=it.npz" not in of_prior


def test_what_a_killed_one_has_named_is_taken_back(tmp_path):
    stem, names = tmp_path / "mine", ["mine.npz", "mine.json"]
    with files.whole_files(stem, names) as partial:
        (partial / "mine.npz").write_text("weights")
        (partial / "mine.json").write_text("card")
        killed = partial
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.npz"]
    (tmp_path / "mine.json").unlink()  # as if it had been killed between the two
    killed.mkdir()
    os.link(tmp_path / "mine.npz", killed / "mine.npz")
    with files.whole_files(stem, names) as partial:
        for name in names:
            (partial / name).write_text("again")
    assert (tmp_path / "mine.npz").read_text() == "again"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.npz"]


def test_nothing_of_others_is_taken_back(tmp_path):
    stem, names = tmp_path / "mine", ["mine.npz", "mine.json"]
    (tmp_path / "mine.npz").write_text("theirs")
    killed = tmp_path / files._choose_hidden_name("mine", "partial")
    killed.mkdir()
    (killed / "mine.npz").write_text("theirs")  # the same text, another file
    with pytest.raises(files.OccupiedError, match=r"mine.npz exists"), files.whole_files(stem, names):
        pass
    assert (tmp_path / "mine.npz").read_text() == "theirs"


def test_all_or_nothing(tmp_path, monkeypatch):
    stem, names = tmp_path / "mine", ["mine.npz", "mine.json"]
    with pytest.raises(OSError, match="full"), files.whole_files(stem, names) as partial:
        (partial / "mine.npz").write_text("weights")
        raise OSError("the disk is full")
    assert not list(tmp_path.iterdir())
    with pytest.raises(files.OccupiedError, match="meanwhile"), files.whole_files(stem, names) as partial:
        (partial / "mine.json").write_text("card")
        (partial / "mine.npz").write_text("weights")
        (tmp_path / "mine.npz").write_text("theirs")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]
    assert (tmp_path / "mine.npz").read_text() == "theirs"


def test_published_weights_tell_how_their_pictures_were_cut(run, command, tmp_path, caplog):
    assert command("publish", f"--run_dir={run}", "--name=a", f"--out={tmp_path / 'out'}", "--nopictures").code == 0
    opened = open_run(tmp_path / "out" / "a.npz")
    assert opened.origin == Origin(None, Cut(size=32))
    nowhere = parsing.parse_training(["--dataset=packed", "--data_dir=gone", "--image_size=32"]).data
    told = Origin((1, 2, 30, 30), Cut("celeba", 0.25, 32, shift=(0.1, 0.0)))
    assert (find_data_cut(nowhere, told), find_data_crop(nowhere, told)) == (told.cut, told.crop)
    assert not caplog.text
    assert parse_origin({**describe_origin(told), "size": 32}) == told


UNSOUND = {"crop": None, "cut": {"template": "x", "margin": 0, "shift": [0, 0]}, "size": 9}


@pytest.mark.parametrize("origin", [1, {}, UNSOUND])
def test_a_card_that_tells_of_no_sound_cut_is_refused(run, command, tmp_path, origin):
    assert command("publish", f"--run_dir={run}", "--name=a", f"--out={tmp_path / 'out'}", "--nopictures").code == 0
    card = tmp_path / "out" / "a.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"origin": origin}))
    assert_refused(
        command("sample", f"--run_dir={card}", "--count=1"), "does not say soundly how its pictures were cut"
    )
