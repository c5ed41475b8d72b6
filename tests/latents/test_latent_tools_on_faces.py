"""What editing and sampling reach on drawn faces with the weights that ship, judged by the face network."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.codes.encoding import decode_codes, encode_source, floats
from facezoo.latents import sampling
from facezoo.latents.attributes import find_attributes, orthogonalise
from facezoo.metrics import frechet_distance
from facezoo.models import load_pretrained

pytestmark = pytest.mark.long

MODEL = "vae_perceptual"
PICTURES = 10  # of each person of the test split
EDITED = 200
SAMPLES = 10_000


class Seen(NamedTuple):
    """What the judge sees in pictures: how likely each attribute is, [N, A], and whose face it is, [N, D]."""

    attributes: np.ndarray
    embeddings: np.ndarray


class Bench(NamedTuple):
    """A model, what it is asked about, and a network that judges its pictures.

    Attributes:
      codes, attributes: of 10,000 training faces.
      test: codes, pictures and attributes of all test faces.
      plain: what the judge sees in these codes, decoded.
    """

    model: Any
    judge: Any
    names: tuple[str, ...]
    codes: np.ndarray
    attributes: np.ndarray
    test: dict[str, np.ndarray]
    plain: Seen

    def edited(self, faces, vector, strength) -> Seen:
        return seen(self.judge, decode_codes(self.model, self.test["codes"][faces] + np.float32(strength) * vector))

    def faces_without(self, name: str) -> np.ndarray:
        """The first test faces that do not have an attribute, nor seem to when they are decoded."""
        place = self.names.index(name)
        return np.flatnonzero((self.test["attributes"][:, place] < 0.5) & (self.plain.attributes[:, place] < 0.5))[
            :EDITED
        ]


def seen(judge, images) -> Seen:
    portions = [judge.read(images[start : start + 100]) for start in range(0, len(images), 100)]
    logits, embeddings = (
        np.concatenate([portion[name] for portion in portions]) for name in ("attribute_logits", "embedding")
    )
    return Seen(1.0 / (1.0 + np.exp(-logits)), embeddings)


@pytest.fixture(scope="module")
def bench():
    model, judge = load_pretrained(MODEL), load_pretrained("face_features")
    train = procedural_faces("train")
    known = encode_source(model, train, ("attributes",), SAMPLES)
    test = encode_source(model, procedural_faces("test"), ("attributes", "image"))
    plain = seen(judge, decode_codes(model, test["codes"]))
    return Bench(model, judge, train.attribute_names, known["codes"], known["attributes"], test, plain)


def distances(first, second):
    return np.linalg.norm(first - second, axis=-1)


def strength_that_shows(bench, name, vector, faces) -> tuple[float, Seen]:
    """The least strength, to 1/16, by which the judge sees the attribute in 95 % of faces, and what it sees then."""
    low, high = 0.0, 4.0
    while high - low > 1 / 16:
        middle = (low + high) / 2
        share = np.mean(bench.edited(faces, vector, middle).attributes[:, bench.names.index(name)] > 0.5)
        low, high = (low, middle) if share >= 0.95 else (middle, high)
    return high, bench.edited(faces, vector, high)


@pytest.mark.parametrize("name", ["eyeglasses"])
def test_what_is_added_is_seen_and_the_person_stays(bench, name):
    found = find_attributes(bench.codes, bench.attributes, bench.names, "", methods=("mean",))
    faces = bench.faces_without(name)
    assert len(faces) == EDITED
    strength, after = strength_that_shows(bench, name, found.vector(name), faces)
    moved = np.median(distances(after.embeddings, bench.plain.embeddings[faces]))
    people = seen(bench.judge, floats(bench.test["image"])).embeddings.reshape(-1, PICTURES, after.embeddings.shape[1])
    same_person = np.median([distances(people[:, i], people[:, j]) for i in range(PICTURES) for j in range(i)])
    share = np.mean(after.attributes[:, bench.names.index(name)] > 0.5)
    print(f"{name}: seen in {share:.1%} at {strength:.2f}, moved {moved:.2f}, one person's pictures {same_person:.2f}")
    assert share >= 0.95
    assert moved < same_person


def test_glasses_bring_no_beard_where_all_who_wear_them_have_one(bench):
    """Training faces of whom nearly all with glasses have a beard, and nearly all others neither."""
    glasses, beard = (bench.attributes[:, bench.names.index(name)] > 0.5 for name in ("eyeglasses", "beard"))
    chosen = (glasses == beard) | (np.random.default_rng(0).random(len(glasses)) < 0.1)
    found = find_attributes(bench.codes[chosen], bench.attributes[chosen], bench.names, "", methods=("mean",))
    faces = bench.faces_without("eyeglasses")
    everything_else = [name for name in bench.names if name != "eyeglasses"]
    changes = []
    for vector in (found.vector("eyeglasses"), orthogonalise(found, "eyeglasses", everything_else)):
        strength, after = strength_that_shows(bench, "eyeglasses", vector, faces)
        change = (after.attributes - bench.plain.attributes[faces]).mean(axis=0)
        others = np.abs(np.delete(change, bench.names.index("eyeglasses")))
        changes.append((abs(change[bench.names.index("beard")]), others.mean()))
        print(f"at {strength:.2f}: beard {100 * changes[-1][0]:.1f} points, all others {100 * changes[-1][1]:.1f}")
    (plain_beard, plain_others), (own_beard, own_others) = changes
    assert own_beard < plain_beard / 10
    assert own_others < plain_others / 2.5


def test_a_mixture_s_faces_are_nearer_to_real_ones_than_the_prior_s(bench):
    """Fréchet distances of 10,000 faces each, in what the judge's heads read."""

    def features(portions):
        return np.concatenate([np.asarray(bench.judge.trunk(images)) for images in portions])

    def starts(count):
        return range(0, count, 250)

    train = procedural_faces("train")
    real = features(floats(train.load(np.arange(start, start + 250))["image"]) for start in starts(SAMPLES))
    samplers = {
        "prior": sampling.standard_normal(bench.codes.shape[1:], ""),
        "mixture": sampling.fit_mixture(bench.codes, "", 10),
    }
    distance = {}
    for name, sampler in samplers.items():
        codes = sampler.draw(0, SAMPLES)
        drawn = features(decode_codes(bench.model, codes[start : start + 250]) for start in starts(SAMPLES))
        distance[name] = frechet_distance(drawn, real)
        print(f"{name}: {distance[name]:.2f}")
    assert distance["mixture"] < distance["prior"]
