"""A contest with others' models: by turns, for as long, and on again where it was killed."""

import json

import numpy as np
import pytest
from command_line import assert_refused, photographs_in, truncate
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.benchmarks.peers import peers
from facezoo.experiments.benchmarks.peers.contest import Contest
from facezoo.experiments.errors import UsageError
from facezoo.experiments.tables import BEGIN, END
from facezoo.experiments.training import devices

pytestmark = pytest.mark.usefixtures("empty_folder")


class Mean:
    """Learns the mean picture, and notes whose turn it is."""

    num_parameters = 3
    has_prior = True

    def __init__(self, name="mean", turns=None, stop_at=None):
        self.name, self.turns, self.stop_at, self.steps = name, turns if turns is not None else [], stop_at, 0
        self.mean, self.shares = np.zeros(3), []

    def take_step(self, images, rate_share):
        if self.stop_at == len(self.turns):
            raise KeyboardInterrupt
        self.turns.append(self.name)
        self.shares.append(rate_share)
        self.steps += 1
        self.mean += (images.mean(axis=(0, 1, 2)) - self.mean) / self.steps

    def reconstruct(self, images):
        return np.broadcast_to(self.mean.astype(np.float32), images.shape)

    def encode(self, images):
        return None

    def state(self):
        return {"mean": self.mean, "steps": np.int64(self.steps)}

    def restore(self, state):
        self.mean, self.steps = state["mean"].copy(), int(state["steps"])


def contest_of(folder, makers, **changed):
    """Each step takes a second; turns are of two, and all of it of four."""
    ticks = iter(range(10_000))
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3)).astype(np.uint8)
    settings = {"batch_size": 4, "seconds": 4.0, "turn_seconds": 2.0, "about": {"minutes": 1}} | changed
    return Contest(folder, makers, images, **settings, clock=lambda: float(next(ticks)))


def test_all_train_by_turns_as_long_and_their_rates_fall(tmp_path):
    turns = []
    entrants = {name: Mean(name, turns) for name in "ab"}
    contest = contest_of(tmp_path / "new", {name: lambda name=name: entrants[name] for name in "ab"})
    rows = contest.run(lambda entrant: {"psnr": float(entrant.steps)})
    assert "".join(turns) == "aaabbbaabb"  # each takes one untimed step first
    assert [row["model"] for row in rows] == ["a", "b"]
    assert rows[0] == {"model": "a", "parameters": "3", "steps": 5, "pictures/s": 4, "psnr": 5.0}
    np.testing.assert_allclose(entrants["a"].shares, [1.0, 1.0, 0.855, 0.505, 0.155], atol=0.001)


def test_a_contest_that_was_killed_goes_on(tmp_path):
    turns = []
    stop_at = 7  # in the second turn of "a"
    with pytest.raises(KeyboardInterrupt):
        contest_of(tmp_path / "one", {name: lambda name=name: Mean(name, turns, stop_at) for name in "ab"}).run(None)
    again = []
    made = {}

    def make(name):
        made[name] = Mean(name, again)
        return made[name]

    rows = contest_of(tmp_path / "one", {name: lambda name=name: make(name) for name in "ab"}).run(lambda _: {})
    assert "".join(again) == "abaabb"  # from the states after their first turns
    assert [row["steps"] for row in rows] == [6, 6]
    assert contest_of(tmp_path / "one", {"a": None, "b": None}).run(None) == rows  # nothing is left to do


def test_another_contest_or_a_damaged_state_is_refused(tmp_path):
    contest_of(tmp_path / "one", {"a": Mean}).run(lambda _: {})
    with pytest.raises(UsageError, match=r"has another contest \(minutes\)"):
        contest_of(tmp_path / "one", {"a": Mean}, about={"minutes": 2})
    (tmp_path / "one" / "a.json").unlink()
    (tmp_path / "one" / "a.npz").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"a\.npz is damaged"):
        contest_of(tmp_path / "one", {"a": Mean}).run(lambda _: {})
    (tmp_path / "one" / "a.json").write_text("[]")
    with pytest.raises(UsageError, match=r"a\.json is damaged"):
        contest_of(tmp_path / "one", {"a": Mean}).run(lambda _: {})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(UsageError, match="mine"):
        contest_of(tmp_path / "mine", {"a": Mean})


class Refusing(Mean):
    def restore(self, state):
        raise RuntimeError("Error(s) in loading state_dict for Net:\n\tsize mismatch\n\tanother")


@pytest.mark.parametrize(("make", "is_cut"), [(Mean, True), (Refusing, False)])
def test_half_a_state_or_another_network_s_is_refused_in_one_line(tmp_path, make, is_cut):
    contest_of(tmp_path / "one", {"a": Mean}).run(lambda _: {})
    (tmp_path / "one" / "a.json").unlink()
    if is_cut:
        truncate(tmp_path / "one" / "a.npz")
    with pytest.raises(UsageError, match=r"a\.npz is damaged, or of another version: remove it") as refusal:
        contest_of(tmp_path / "one", {"a": make}).run(lambda _: {})
    assert len(str(refusal.value).splitlines()) == 1


def test_pictures_are_measured_as_everywhere(monkeypatch):
    monkeypatch.setattr(
        peers,
        "_networks",
        lambda size: (
            lambda real, made: np.abs(real - made).mean(axis=(1, 2, 3)),
            lambda images: np.repeat(images.mean(axis=(1, 2)), 512, axis=1),
        ),
    )
    images = np.random.default_rng(0).random((80, 16, 16, 3), np.float32)
    known = np.random.default_rng(1).integers(0, 256, (90, 16, 16, 3)).astype(np.uint8)
    entrant = Mean()
    entrant.reconstruct = lambda real: real + 2.0 * (real > 0.5)  # which is clipped
    entrant.encode = lambda pictures: pictures.mean(axis=(1, 2))  # codes are far from N(0, 1)
    entrant.decode = lambda codes: np.tile(codes[:, None, None], (1, 16, 16, 1))
    found = peers.measure(entrant, images, known)
    assert set(found) == {"psnr", "ssim", "lpips", "kid", "kid of normal", "kid of mixture"}
    made = np.where(images > 0.5, 1.0, images)
    np.testing.assert_allclose(found["lpips"], np.abs(images - made).mean(), rtol=1e-5)
    assert found["kid of mixture"] < found["kid of normal"]
    entrant.has_prior = False
    assert set(found) - set(peers.measure(entrant, images, known)) == {"kid of normal"}
    assert set(peers.measure(Mean(), images, known)) == {"psnr", "ssim", "lpips", "kid"}


def test_the_command_writes_a_page_and_goes_on(command, monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "find_weights", lambda file: file)
    monkeypatch.setattr(peers, "_find_maker", lambda name, latent_dim, source: Mean)
    monkeypatch.setattr(peers, "measure", lambda entrant, images, known: {"psnr": 20.0, "kid": 1.0})
    page = tmp_path / "page.md"
    page.write_text(f"# Peers\n{BEGIN}\n{END}\n")
    arguments = (
        *("benchmark", "--measure=peers", "--contestants=keras,vae_folder", "--minutes=0.001", "--turn_seconds=0.02"),
        *("--image_size=16", "--batch_size=2", "--dataset=folder", f"--data_dir={photographs_in(tmp_path / 'in', 80)}"),
        *(f"--contest_dir={tmp_path / 'contest'}", f"--page={page}"),
    )
    done = command(*arguments)
    assert done.code == 0, done.err
    lines = page.read_text().splitlines()
    assert lines[:2] == ["# Peers", BEGIN]
    assert [line.split("|")[1].strip() for line in lines[2:-1]] == ["model", "---", "keras", "vae_folder"]
    assert json.loads((tmp_path / "contest" / "64" / "keras.json").read_text())["psnr"] == 20.0
    before = page.read_text()
    assert command(*arguments).code == 0
    assert page.read_text() == before
    assert command(*arguments, "--latent_dim=64,8").code == 0
    cells = [line.split("|")[1:3] for line in page.read_text().splitlines()[4:-1]]
    assert [[cell.strip() for cell in pair] for pair in cells] == [
        ["keras", "64"],
        ["vae_folder", "64"],
        ["keras", "8"],
        ["vae_folder", "8"],
    ]
    assert "another contest (count)" in command(*arguments, "--count=9").err
    assert "another contest (crop)" in command(*arguments, "--crop=16").err
    others = photographs_in(tmp_path / "others" / "in", 80)
    assert "another contest (data_dir)" in command(*arguments, f"--data_dir={others}").err
    monkeypatch.chdir(tmp_path)
    assert command(*arguments, "--data_dir=in").code == 0
    page.write_text("no marks")
    assert "no place for a table" in command(*arguments).err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--contestants=me",), "--contestants=me: there are recipes, and pythae_vae"),
        (("--contestants=keras,keras",), "somebody is named twice"),
        (("--contestants=keras", "--latent_dim=64,5000"), "--latent_dim=5000: more than there are pixels"),
        (("--contestants=keras", "--latent_dim=64,0"), "must be whole numbers of at least 1"),
        (("--contestants=pythae_vae", "--image_size=32"), "pythae_vae is for 64 pixels"),
        (("--contestants=keras",), "lpips_alex.npz is not there"),
        (
            ("--contestants=keras", "--image_size=100"),
            "--image_size=100: keras halves pictures 5 times, of multiples of 32",
        ),
        (("--contestants=vae_folder,vae_gan",), "--contestants=vae_gan: it trains two players"),
        (("--contestants=face_features",), "--contestants=face_features: it gives no pictures back"),
        (("--contestants=face_mapping",), "--contestants=face_mapping: it learns from identity"),
        (("--contestants=conditional_vae",), "--contestants=conditional_vae: it learns from attributes"),
        (("--contestants=vae_perceptual",), "--contestants=vae_perceptual: it learns from landmarks"),
        (("--contestants=pythae_vae",), "is not installed: pip install 'facezoo[peers]'"),
    ],
)
def test_who_cannot_take_part_is_refused(command, monkeypatch, flags, said):
    monkeypatch.delenv("FACEZOO_WEIGHTS", raising=False)
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda package: None)
    assert_refused(command("benchmark", "--measure=peers", *flags), said)


def test_a_recipe_that_does_not_fit_the_pictures_is_refused_before_the_folder_is_taken(command, monkeypatch):
    monkeypatch.setattr(peers, "find_weights", lambda file: file)
    done = command("benchmark", "--measure=peers", "--contestants=vae", "--image_size=100")
    assert_refused(done, "--contestants=vae: --model=vae: image_size=100 must be a multiple of 16")


@pytest.fixture
def faces():
    return np.random.default_rng(0).random((4, 64, 64, 3), np.float32)


def assert_goes_on(make, faces):
    """Two alike, one of which goes on from the other's state, give the same pictures; returns one."""
    first, second = make(), make()
    for _ in range(2):
        first.take_step(faces, 1.0)
    second.restore({name: np.array(value) for name, value in first.state().items()})
    np.testing.assert_array_equal(second.reconstruct(faces), first.reconstruct(faces))
    made = first.reconstruct(faces)
    assert made.shape == faces.shape
    if (codes := first.encode(faces)) is not None:
        np.testing.assert_allclose(first.decode(codes), made, atol=1e-5)
    return first


def test_the_vae_of_keras_documentation_learns_and_goes_on(faces):
    from facezoo.experiments.benchmarks.peers.keras_entrants import DocumentationVAE

    small = faces[:, ::4, ::4]
    entrant = assert_goes_on(lambda: DocumentationVAE(3, 16), small)
    before = np.square(entrant.reconstruct(small) - small).mean()
    for _ in range(30):
        entrant.take_step(small, 1.0)
    assert np.square(entrant.reconstruct(small) - small).mean() < before
    assert entrant.encode(small).shape == (len(small), 3)


def test_a_recipe_takes_part(monkeypatch, faces):
    from facezoo.experiments.benchmarks.peers.keras_entrants import RecipeEntrant

    monkeypatch.setattr(devices, "best_precision", lambda: "float32")  # codes are compared to five digits
    source = procedural_faces("train", image_size=32)
    entrant = assert_goes_on(lambda: RecipeEntrant("vae", 4, source), faces[:, ::2, ::2])
    assert entrant.encode(faces[:, ::2, ::2]).shape == (len(faces), 4)


def test_a_recipe_s_learning_rate_rises_as_it_says():
    from facezoo.experiments.benchmarks.peers import keras_entrants

    settings = keras_entrants.read_recipe("vae_folder", 4, 32)
    assert settings.schedule.warmup_steps == 100
    entrant = keras_entrants.RecipeEntrant("vae_folder", 4, procedural_faces("train", image_size=32))
    entrant.take_step(np.zeros((2, 32, 32, 3), np.float32), 0.5)
    np.testing.assert_allclose(entrant.model.optimizer.learning_rate, 0.5 * settings.optimizer.learning_rate / 101)


@pytest.mark.parametrize("kind", ["VAE", "BetaVAE", "VAEGAN", "VQVAE"])
def test_pythae_s_models_go_on(faces, kind):
    pytest.importorskip("pythae")
    from facezoo.experiments.benchmarks.peers.torch_entrants import make_pythae

    entrant = assert_goes_on(lambda: make_pythae(kind, 4), faces)
    assert (entrant.encode(faces) is None) == (kind == "VQVAE")


def test_the_layouts_of_pytorch_vae_learn_and_go_on(faces):
    pytest.importorskip("torch")
    from facezoo.experiments.benchmarks.peers.torch_entrants import make_vanilla_vae

    entrant = assert_goes_on(lambda: make_vanilla_vae(4, 64, filters=(4, 4, 8, 8, 8)), faces)
    before = np.square(entrant.reconstruct(faces) - faces).mean()
    for _ in range(20):
        entrant.take_step(faces, 1.0)
    assert np.square(entrant.reconstruct(faces) - faces).mean() < before
    assert entrant.encode(faces).shape == (len(faces), 4)
