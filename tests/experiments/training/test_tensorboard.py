"""What training leaves for TensorBoard, in the file and from a running server."""

import csv
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
from command_line import VAE_FLAGS, read_png, rows_of
from facezoo.experiments.runs.folder import find_logs
from facezoo.experiments.training import kl_history
from facezoo.experiments.training.evaluation import Measurement
from facezoo.experiments.training.kl_history import read_history
from facezoo.experiments.training.loop import Epoch
from facezoo.experiments.training.records import Monitor
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")
LOSSES = {f"1 losses/{name}" for name in ("loss", "reconstruction", "kl")}
SCALARS = {
    "train": LOSSES
    | {f"3 updates/{name}" for name in ("gradient_norm", "learning_rate", "skipped_steps")}
    | {"4 speed/images_per_second"},
    "validation": LOSSES | {f"2 quality/{name}" for name in ("psnr", "ssim", "active_units")},
}
SHEETS = {"reconstructions", "samples", "morph", "kl_over_epochs"}


def test_events_hold_each_term_pictures_codes_flags_and_hparams(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    logs = {}
    for part, scalars in SCALARS.items():
        log = finished / "tensorboard" / finished.name / part
        logs[part] = events = EventAccumulator(str(log), size_guidance={"tensors": 0})
        events.Reload()
        kinds = {}
        for tag in events.Tags()["tensors"]:
            kind = events.SummaryMetadata(tag).plugin_data.plugin_name
            kinds.setdefault(kind, set()).add(tag)
        assert kinds["scalars"] == scalars
    assert kinds["images"] == SHEETS
    assert kinds["histograms"] == {"codes", "kl_per_dimension"}
    assert kinds["text"] == {"flags"}
    # No "_hparams_/experiment": TensorBoard would show the settings that it lists, and no others.
    assert kinds["hparams"] == {"_hparams_/session_start_info", "_hparams_/session_end_info"}
    start = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"latent_dim" in start
    assert b"None" not in start

    written = {
        event.step: float(tensor_util.make_ndarray(event.tensor_proto))
        for event in logs["train"].Tensors("1 losses/loss")
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


def test_a_running_tensorboard_serves_them(tensorboard, finished):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(path, **query):
        with opener.open(f"{tensorboard}/data/plugin/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return answer.read()

    def tags(plugin, run=f"{finished.name}/validation"):
        return json.loads(fetch(f"{plugin}/tags")).get(run, [])

    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if set(tags("scalars")) == SCALARS["validation"] and set(tags("images")) == SHEETS:
                break
        except (OSError, http.client.HTTPException):  # not up yet
            pass
        time.sleep(0.5)
    assert set(tags("scalars")) == SCALARS["validation"]
    assert set(tags("scalars", f"{finished.name}/train")) == SCALARS["train"]
    assert set(tags("images")) == SHEETS
    assert set(tags("histograms")) == {"codes", "kl_per_dimension"}
    assert "flags" in set(tags("text"))
    run = f"{finished.name}/validation"
    points = json.loads(fetch("scalars/scalars", run=run, tag="2 quality/psnr"))
    assert [step for _, step, _ in points] == [4, 8]
    sheets = json.loads(fetch("images/images", run=run, tag="reconstructions", sample=0))
    blob = dict(urllib.parse.parse_qsl(sheets[0]["query"]))
    with Image.open(io.BytesIO(fetch("images/individualImage", **blob))) as image:
        assert image.size == (8 * 64, 2 * (64 + 15))  # enlarged, with a label below each
    layout = json.loads(fetch("custom_scalars/layout"))
    charts = {group["title"]: [chart["title"] for chart in group["chart"]] for group in layout["category"]}
    assert list(charts) == ["losses", "quality", "updates", "speed"]
    assert charts["losses"] == ["loss", "reconstruction", "kl"]
    tag = layout["category"][1]["chart"][0]["multiline"]["tag"][0]
    found = json.loads(fetch("custom_scalars/scalars", run=run, tag=tag))["tag_to_events"]
    assert [step for _, step, _ in found["2 quality/psnr"]] == [4, 8]
    (group,) = table_of_hparams(fetch)
    assert group["hparams"]["latent_dim"] == 4
    final = {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
    np.testing.assert_allclose(final["2 quality/psnr"], float(rows_of(finished)[-1]["val_psnr"]), rtol=1e-5)
    (text,) = json.loads(fetch("text/text", run=run, tag="flags"))
    assert "latent_dim" in text["text"]


def table_of_hparams(fetch):
    """The lines of HParams of runs that have ended, with all settings and metrics, as the page asks for them."""

    def ask(what, **question):
        return json.loads(fetch(f"hparams/{what}", request=json.dumps({"experimentName": "", **question})))

    experiment = ask("experiment")
    asked = {
        "colParams": [
            *({"hparam": info["name"], "includeInResult": True} for info in experiment["hparamInfos"]),
            *({"metric": info["name"]} for info in experiment["metricInfos"]),
        ],
        "allowedStatuses": ["STATUS_SUCCESS"],
        "startIndex": 0,
        "sliceSize": 10,
    }
    return ask("session_groups", **asked)["sessionGroups"]


def test_each_epoch_tells_the_kl_of_each_dimension(finished):
    with (finished / "kl_per_dimension.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row.pop("epoch"), row.pop("step")) for row in rows] == [("1", "4"), ("2", "8")]
    assert all(list(row) == ["0", "1", "2", "3"] for row in rows)
    told = [float(row["val_kl"]) for row in rows_of(finished)]
    np.testing.assert_allclose([sum(map(float, row.values())) for row in rows], told, rtol=1e-5)


def test_what_is_behind_the_state_is_taken_out_and_told_again(copied):
    path = copied / "kl_per_dimension.csv"
    assert [row["step"] for row in read_history(path, 8)] == [4, 8]
    assert [row["step"] for row in read_history(path, 7)] == [4]
    assert read_history(path, 3) == []
    assert read_history(copied / "no.csv", 8) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "epoch,step,0\n",
        "epoch,step,0\n1,4,0.5\n2,8\n",
        "epoch,step,0\n1,4,0.5,1\n",
        "epoch,step,mine\n1,4,2\n",
        "mine\n\xff",
    ],
)
def test_a_file_of_a_user_s_is_left_where_a_run_s_would_be(tmp_path, caplog, content):
    path = tmp_path / "kl_per_dimension.csv"
    path.write_text(content, "latin-1")
    assert read_history(path, 8) is None
    monitor = Monitor(tmp_path, {}, {}, step=8)
    monitor.record(Epoch(1, 12, {}, 1.0), Measurement({}, 1, np.ones(2)), 0.1)
    assert path.read_text("latin-1") == content
    assert [row["step"] for row in monitor.kl_rows] == [12]
    [line] = caplog.messages
    assert line == f"{path} is left as it is: it is none that this run wrote"


def test_a_folder_and_a_file_too_large_are_no_history(tmp_path, monkeypatch):
    assert read_history(tmp_path, 8) is None
    path = tmp_path / "large.csv"
    path.write_text("epoch,step,0\n1,4,0.5\n")
    assert read_history(path, 8)
    monkeypatch.setattr(kl_history, "MOST_BYTES", 10)
    assert read_history(path, 8) is None


def test_columns_of_epochs_are_as_wide_as_these_lie_apart():
    rows = [kl_history.make_row(epoch, epoch, np.full(2, epoch % 2)) for epoch in (1, 2, 3, 12, 13)]
    line = kl_history.draw_history(rows)[200, 66:574].astype(int)  # within the colours, from left to right
    turns = np.flatnonzero(np.abs(np.diff(line, axis=0)).sum(axis=-1) > 200) + 66
    edges = np.array([1.5, 2.5, 7.5, 12.5])
    np.testing.assert_allclose(turns, 63 + 513 * (edges - 0.5) / 13, atol=2)


def test_curves_have_a_point_every_so_many_steps(train, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr("facezoo.experiments.training.run.STEPS_OF_A_POINT", 3)
    folder = train("run", *VAE_FLAGS)
    events = EventAccumulator(str(folder / "tensorboard" / "run" / "train"))
    events.Reload()
    assert [event.step for event in events.Tensors("1 losses/loss")] == [3, 4, 6, 8]
    assert [event.step for event in events.Tensors("3 updates/skipped_steps")] == [4, 8]


def test_a_run_that_was_renamed_goes_on_in_its_logs(copied):
    before = find_logs(copied)
    assert before[0].is_dir()
    assert find_logs(copied.rename(copied.parent / "other"))[0].name == "train"
    assert find_logs(copied.parent / "other")[0].parent.name == before[0].parent.name
    assert find_logs(copied.parent / "new")[1] == copied.parent / "new" / "tensorboard" / "new" / "validation"


def test_an_analysis_shows_in_the_runs_own_log(copied, command):
    assert command("analyse", f"--run_dir={copied}", "--count=20", "--nodisentanglement").code == 0
    log = find_logs(copied)[1]
    config = (log / "projector_config.pbtxt").read_text()
    for name in ("vectors.tsv", "metadata.tsv", "sprite.png"):
        assert f"../../../analysis/projector/{name}" in config
        assert (log / "../../../analysis/projector" / name).exists()
