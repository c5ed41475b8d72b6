"""States that an older version of facezoo has left."""

import hashlib
import json

from facezoo.experiments.runs.checkpoints import Checkpoints, State, read_trackers
from facezoo.models import ConvolutionalAutoencoder
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
