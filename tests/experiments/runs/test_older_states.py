"""States that an older version of facezoo has left."""

import hashlib
import json

import numpy as np
import pytest
from command_line import rewrite_config
from facezoo.experiments.errors import UsageError
from facezoo.experiments.runs.checkpoints import Checkpoints, State, read_trackers
from facezoo.models import VAE, ConvolutionalAutoencoder, DistilledAutoencoder
from steps import take_steps


def test_a_mean_that_was_not_kept_begins_anew(pictures, tmp_path):
    model = ConvolutionalAutoencoder(image_size=32, filters=(4,))
    model.compile()
    take_steps(model, 2, {"image": pictures})
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(model, State(step=2, trackers=read_trackers(model)))
    path = tmp_path / "000000002" / "state.json"
    kept = json.loads(path.read_text())
    del kept["trackers"]["gradient_norm"]
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(json.dumps(kept))
    sums = tmp_path / "000000002" / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    loss = float(model.objective.trackers["loss"].result())
    model.reset_metrics()
    assert checkpoints.restore(model).step == 2
    assert float(model.objective.trackers["loss"].result()) == loss
    assert float(model.objective.gradient_norm.result()) == 0.0


@pytest.mark.parametrize(
    ("make", "lacking"),
    [
        (lambda: VAE(image_size=16, filters=(4,), latent_dim=3), ("decoder_width", "decoder_depth")),
        (
            lambda: DistilledAutoencoder(
                autoencoder=VAE(image_size=16, filters=(4,), latent_dim=3), width=8, depth=1, stages=1
            ),
            ("stages", "finish"),
        ),
    ],
    ids=["VAE", "DistilledAutoencoder"],
)
def test_a_model_from_before_it_had_an_argument_goes_on(make, lacking, tmp_path):
    model = make()
    model.compile()
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(model, State(step=2, trackers=read_trackers(model)))
    path = tmp_path / "000000002" / "model.keras"
    change_config(path, lambda config: [config["config"].pop(name) for name in lacking])
    weights = model.get_weights()
    model.set_weights([weight + 1.0 for weight in weights])
    assert checkpoints.restore(model).step == 2
    for one, two in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, two)
    change_config(path, lambda config: config["config"].update(seed=5))
    with pytest.raises(UsageError, match="seed is 5, not 0"):
        checkpoints.restore(model)


def change_config(path, change):
    """Changes the description in a model file, and what its folder says of it."""
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite_config(path, change)
    sums = path.with_name("SHA256SUMS")
    sums.write_text(sums.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
