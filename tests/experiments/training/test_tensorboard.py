"""What training leaves for TensorBoard, in the file and from a running server."""

import http.client
import io
import json
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
from command_line import read_png, rows_of
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")
SCALARS = {
    *(f"train/{name}" for name in ("loss", "reconstruction", "kl", "skipped_steps")),
    *(f"validation/{name}" for name in ("loss", "reconstruction", "kl", "psnr", "ssim", "active_units")),
    "speed/images_per_second",
    "speed/learning_rate",
}
SHEETS = {"reconstructions", "samples", "morph"}


def test_events_hold_each_term_pictures_codes_flags_and_hparams(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(finished / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    kinds = {}
    for tag in events.Tags()["tensors"]:
        kind = events.SummaryMetadata(tag).plugin_data.plugin_name
        kinds.setdefault(kind, set()).add(tag)
    assert kinds["scalars"] == SCALARS
    assert kinds["images"] == SHEETS
    assert kinds["histograms"] == {"codes"}
    assert kinds["text"] == {"flags"}
    assert "_hparams_/session_start_info" in kinds["hparams"]

    written = {
        event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors("train/loss")
    }
    np.testing.assert_allclose([written[4], written[8]], [float(row["loss"]) for row in rows_of(finished)], rtol=1e-5)
    text = tensor_util.make_ndarray(events.Tensors("flags")[0].tensor_proto).item().decode()
    assert "| latent_dim | 4 |" in text
    png = tensor_util.make_ndarray(events.Tensors("morph")[-1].tensor_proto)[2]
    with Image.open(io.BytesIO(png)) as image:
        assert np.array_equal(np.asarray(image), read_png(finished / "images" / "morph-0002.png")[0])


@pytest.fixture
def tensorboard(finished):
    """A TensorBoard on the finished run: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--logdir", finished / "tensorboard", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(timeout=30)


def test_a_running_tensorboard_serves_them(tensorboard):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(path, **query):
        with opener.open(f"{tensorboard}/data/plugin/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return answer.read()

    def tags(plugin):
        return json.loads(fetch(f"{plugin}/tags")).get(".", [])

    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if set(tags("scalars")) == SCALARS and set(tags("images")) == SHEETS:
                break
        except (OSError, http.client.HTTPException):  # not up yet
            pass
        time.sleep(0.5)
    assert set(tags("scalars")) == SCALARS
    assert set(tags("images")) == SHEETS
    assert set(tags("histograms")) == {"codes"}
    assert "flags" in set(tags("text"))
    points = json.loads(fetch("scalars/scalars", run=".", tag="validation/psnr"))
    assert [step for _, step, _ in points] == [4, 8]
    sheets = json.loads(fetch("images/images", run=".", tag="reconstructions", sample=0))
    blob = dict(urllib.parse.parse_qsl(sheets[0]["query"]))
    with Image.open(io.BytesIO(fetch("images/individualImage", **blob))) as image:
        assert image.size == (8 * 32, 2 * 32)
    (text,) = json.loads(fetch("text/text", run=".", tag="flags"))
    assert "latent_dim" in text["text"]
