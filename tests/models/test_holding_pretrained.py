"""Published models that hold another one whose file lies beside theirs."""

import json

import keras
import numpy as np
import pytest
from facezoo.models import VAE, CodePrior
from facezoo.models.pretrained import load_pretrained, round_weights, save_pretrained
from zoo import SIZE

CARD = {"recipe": None, "data": "none"}


@pytest.fixture
def prior(tmp_path):
    """A prior of a model that is published, beside another one like it; and the folder."""
    held, other = (VAE(image_size=SIZE, latent_dim=4, filters=(8, 8), seed=seed) for seed in (1, 2))
    for model, name in ((other, "another"), (held, "held")):
        round_weights(model)
        save_pretrained(model, name, CARD, tmp_path)
    return CodePrior(autoencoder=load_pretrained("held", tmp_path), width=16, depth=1)


def change_card(folder, **changes):
    path = folder / "prior.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_weights_that_lie_beside_are_kept_once(prior, tmp_path):
    round_weights(prior)
    save_pretrained(prior, "whole", CARD, tmp_path)
    save_pretrained(prior, "prior", CARD, tmp_path, beside=tmp_path)
    stored = {name: len(np.load(tmp_path / f"{name}.npz").files) for name in ("whole", "prior", "held")}
    assert stored["prior"] == stored["whole"] - stored["held"]
    for name in ("whole", "prior"):
        for one, other in zip(load_pretrained(name, tmp_path).get_weights(), prior.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert json.loads((tmp_path / "prior.json").read_text())["held"]["autoencoder"][0] == "held"
    assert "held" not in json.loads((tmp_path / "whole.json").read_text())


def test_nothing_is_left_out_that_does_not_lie_there(prior, tmp_path):
    prior.autoencoder.encoder.weights[0].assign_add(keras.ops.ones_like(prior.autoencoder.encoder.weights[0]))
    save_pretrained(prior, "prior", CARD, tmp_path, beside=tmp_path)
    assert "held" not in json.loads((tmp_path / "prior.json").read_text())


def test_another_file_beside_is_not_taken_for_it(prior, tmp_path):
    save_pretrained(prior, "prior", CARD, tmp_path, beside=tmp_path)
    (_, digest) = json.loads((tmp_path / "prior.json").read_text())["held"]["autoencoder"]
    change_card(tmp_path, held={"autoencoder": ["another", digest]})
    with pytest.raises(ValueError, match=r"another\.npz is not the file whose weights prior holds: get both again"):
        load_pretrained("prior", tmp_path)
    (tmp_path / "held.npz").unlink()
    change_card(tmp_path, held={"autoencoder": ["held", digest]})
    with pytest.raises(ValueError, match=r"held\.npz is not there, whose weights prior holds: get both again"):
        load_pretrained("prior", tmp_path)


@pytest.mark.parametrize(
    "held",
    [
        [],
        "held",
        {"autoencoder": "held"},
        {"autoencoder": ["held"]},
        {"autoencoder": ["../held", "0"]},
        {"autoencoder": ["held", "0" * 1000]},
        {str(number): ["held", "0"] for number in range(3)},
        {"denoiser": "OWN"},
    ],
)
def test_a_card_that_holds_what_cannot_be_held_is_refused(prior, tmp_path, held):
    save_pretrained(prior, "prior", CARD, tmp_path, beside=tmp_path)
    pair = json.loads((tmp_path / "prior.json").read_text())["held"]["autoencoder"]
    if held == {"denoiser": "OWN"}:
        held = {"denoiser": pair}  # a network of its own
    change_card(tmp_path, held=held)
    with pytest.raises(ValueError, match=r"prior.*is damaged: (what it holds is no name|a CodePrior holds no model)"):
        load_pretrained("prior", tmp_path)
