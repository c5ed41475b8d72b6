"""A training that is stopped, killed or broken goes on as though nothing had happened."""

import csv
import errno
import functools
import hashlib
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import filelock
import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from command_line import read_png
from facezoo.experiments import cli
from facezoo.experiments.errors import UsageError
from facezoo.experiments.runs import folder as run_folder
from facezoo.experiments.runs.checkpoints import Checkpoints, State
from facezoo.experiments.training import loop, stopping
from facezoo.experiments.training import run as training_run
from facezoo.experiments.training import setup as session
from facezoo.models import VAE, AutoencoderGAN, Discriminator
from steps import everything_traced
from tensorboard.compat.proto import event_pb2

pytestmark = pytest.mark.usefixtures("empty_folder")

# Everything whose state could be lost: batch norm, dropout, noise, a schedule, annealing, augmentation, patience, the
# mean of the weights.
FLAGS = (
    *("--model=vae", "--image_size=32", "--set=filters=4,", "--latent_dim=4", "--set=dropout=0.1"),
    *("--set=capacity=5.0", "--set=capacity_steps=10", "--schedule=cosine", "--warmup_steps=2", "--flip"),
    *("--batch_size=8", "--steps_per_epoch=5", "--validation_steps=1", "--epochs=3", "--save_every=2"),
    *("--patience=9", "--monitor=psnr", "--seed=3", "--ema=0.9"),
)
GAN_FLAGS = (*FLAGS, "--adversarial_factor=0.1", "--discriminator_filters=4,4", "--adversarial_start=4")
CLIP_FLAGS = (
    *(*FLAGS, "--model=video_autoencoder", "--dataset=procedural_clips", "--frames=4", "--window=3"),
    *("--batch_size=4", "--colour=0.1", "--set=free_bits=0.1"),
)
SCALED_FLAGS = (*GAN_FLAGS, "--precision=mixed_float16")
ALL_STEPS = 15
LONG_EPOCHS = (*FLAGS, "--steps_per_epoch=15", "--epochs=2")  # longer than the updates that may be left out in a row


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [row | {"images_per_second": None} for row in csv.DictReader(file)]


def scalar_steps(folder, name="2 quality/psnr"):
    """The steps at which TensorBoard was told a value."""
    steps = []
    for path in sorted((folder / "tensorboard").glob("*/*/*.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = event_pb2.Event.FromString(record.numpy())
            steps += [event.step for value in event.summary.value if value.tag == name]
    return steps


def newest(folder):
    return sorted((folder / "checkpoints").glob("[0-9]*"))[-1]


def arrays_of(path):
    """Every weight and every variable of the optimizers of a model file, by its place."""

    found = {}
    with zipfile_member(path, "model.weights.h5") as file, h5py.File(file, "r") as weights:
        weights.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def zipfile_member(path, name):

    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read(name))


def assert_same_run(first, second):
    """Bit for bit: weights and optimizers, last and best; rows; what TensorBoard got."""
    for name in ("model.keras", "checkpoints/best/model.keras"):
        ours, theirs = arrays_of(first / name), arrays_of(second / name)
        assert ours.keys() == theirs.keys()
        for place, array in ours.items():
            np.testing.assert_array_equal(array, theirs[place], err_msg=place)
    assert rows_of(first) == rows_of(second)
    assert scalar_steps(first) == scalar_steps(second)
    assert drawn_in(first) == drawn_in(second)


def drawn_in(folder):
    """The pictures of a run, by their names."""
    return {path.name: read_png(path)[0].tobytes() for path in (folder / "images").iterdir()}


@pytest.fixture
def signal_at(monkeypatch):
    """Sends this process a signal after a number of steps."""

    return functools.partial(arrange_signal, monkeypatch)


def arrange_signal(patch, step, number=signal.SIGTERM):
    show, done = loop._show, [0]

    def showing(*arguments):
        done[0] += 1
        if done[0] == step:
            signal.raise_signal(number)
        show(*arguments)

    patch.setattr(loop, "_show", showing)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run of `FLAGS` that nothing has happened to; no test changes it."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    with everything_traced(False):
        assert cli.run(["train", *FLAGS, f"--run_dir={folder}"]) == 0
    return folder


@pytest.fixture(scope="module")
def whole_at_step_3(whole, tmp_path_factory):
    """The run of `FLAGS` that was stopped after step 3; no test changes it."""
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    with pytest.MonkeyPatch.context() as patch, everything_traced(False):
        arrange_signal(patch, 3)
        assert cli.run(["train", *FLAGS, f"--run_dir={folder}"]) == 128 + signal.SIGTERM
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of the whole run."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture
def stopped(whole_at_step_3, tmp_path):
    """A copy of the run that was stopped after step 3."""
    return Path(shutil.copytree(whole_at_step_3, tmp_path / "stopped"))


# Stopped.


@pytest.mark.parametrize(
    ("flags", "step"),
    [(FLAGS, 3), (FLAGS, 5), (GAN_FLAGS, 8), (CLIP_FLAGS, 3), pytest.param(SCALED_FLAGS, 7, marks=pytest.mark.traced)],
    ids=["mid", "end", "gan", "clips", "scaled"],
)
def test_a_stopped_run_goes_on_bit_for_bit(train, command, tmp_path, signal_at, whole, flags, step):
    uninterrupted = whole if flags is FLAGS else train("whole", *flags)
    signal_at(step)
    done = command("train", *flags, f"--run_dir={tmp_path / 'stopped'}")
    assert done.code == 128 + signal.SIGTERM
    assert done.err.strip().splitlines()[-1] == (
        f"facezoo: SIGTERM: stopped after step {step}, saved; the same command goes on from there"
    )
    assert not (tmp_path / "stopped" / "model.keras").exists()
    done = command("train", *flags, f"--run_dir={tmp_path / 'stopped'}")
    assert done.code == 0, done.err
    assert f"from step {step}" in done.out
    assert_same_run(uninterrupted, tmp_path / "stopped")


def test_control_c_saves_too(command, tmp_path, signal_at):
    signal_at(4, signal.SIGINT)
    done = command("train", *FLAGS, f"--run_dir={tmp_path / 'run'}")
    assert (done.code, "stopped after step 4" in done.err) == (130, True)
    assert newest(tmp_path / "run").name == "000000004"


def test_handlers_are_given_back_and_sums_can_be_checked_with_the_usual_tool(train):
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    folder = train("run", *FLAGS, "--epochs=1")
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=newest(folder), check=True)


@pytest.mark.usefixtures("heeds_signals")
@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_whatever_ends_a_process_leaves_a_request(name):
    number = getattr(signal, name)
    with stopping.stop_requests() as request:
        assert request() is None
        signal.raise_signal(number)
        assert request() == number


@pytest.mark.usefixtures("heeds_signals")
def test_a_terminal_that_closes_saves_but_for_nohup(command, tmp_path, signal_at, monkeypatch):
    signal_at(4, signal.SIGHUP)
    done = command("train", *FLAGS, f"--run_dir={tmp_path / 'run'}")
    assert (done.code, "SIGHUP: stopped after step 4, saved" in done.err) == (129, True)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in stopping.heeded_signals()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeds_signals")
def test_a_training_outlives_its_terminal_until_it_has_saved(tmp_path):
    """As when its window is closed: its output goes to what is no terminal any more."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from facezoo.experiments.cli import main; main()", "train", *LONG_EPOCHS]
    process = subprocess.Popen(
        [*command, "--epochs=5000", f"--run_dir={tmp_path / 'run'}"], stdout=theirs, stderr=theirs, cwd="/"
    )
    os.close(theirs)
    try:
        while len(saved(tmp_path / "run")) < 2:
            assert process.poll() is None
            if select.select([ours], [], [], 0.1)[0]:
                os.read(ours, 1024)
        process.send_signal(signal.SIGSTOP)
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 129
    finally:
        process.kill()
    assert newest(tmp_path / "run").joinpath("SHA256SUMS").is_file()


def test_records_behind_the_checkpoint_are_cut_off(train, command, tmp_path, whole):
    """As after a kill between the epoch's records and its checkpoint."""
    shutil.copytree(whole, tmp_path / "cut")
    for place in ("000000015", "000000014"):
        shutil.rmtree(tmp_path / "cut" / "checkpoints" / place, ignore_errors=True)
    train("short", *FLAGS[:-2], *FLAGS[-2:], "--epochs=2", "--schedule_steps=15")
    shutil.copytree(tmp_path / "short" / "checkpoints" / "000000010", tmp_path / "cut" / "checkpoints" / "000000010")
    (tmp_path / "cut" / "model.keras").unlink()
    assert command("train", *FLAGS, f"--run_dir={tmp_path / 'cut'}").code == 0
    assert_same_run(whole, tmp_path / "cut")


# Extended.


def test_more_epochs_extend_a_run_at_the_last_rate(train, command, folder):
    assert "schedule_steps" not in (folder / "flags.txt").read_text()
    done = command("train", *FLAGS, "--epochs=4", f"--run_dir={folder}")
    assert done.code == 0, done.err
    assert f"--schedule_steps={ALL_STEPS}\n" in (folder / "flags.txt").read_text()
    rows = rows_of(folder)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert len({row["learning_rate"] for row in rows[2:]}) == 1
    assert_same_run(train("at_once", *FLAGS, "--epochs=4", f"--schedule_steps={ALL_STEPS}"), folder)
    again = train("again", f"--flagfile={folder / 'flags.txt'}")
    assert_same_run(again, folder)


def test_an_extension_stopped_in_its_last_step_is_not_taken_for_finished(folder, command, signal_at):
    signal_at(4)
    done = command("train", *FLAGS, "--epochs=4", f"--run_dir={folder}")
    assert done.code == 128 + signal.SIGTERM
    assert not (folder / "model.keras").exists()
    assert command("train", *FLAGS, "--epochs=4", f"--run_dir={folder}").code == 0
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2", "3", "4"]


def test_a_finished_run_without_checkpoints_is_finished(folder, command):
    shutil.rmtree(folder / "checkpoints")
    assert "nothing to do" in command("train", *FLAGS, f"--run_dir={folder}").out
    assert command("train", *FLAGS, "--epochs=5", f"--run_dir={folder}").code == 2


def test_fewer_epochs_are_refused(folder, command):
    done = command("train", *FLAGS, "--epochs=2", f"--run_dir={folder}")
    assert (done.code, "3 epochs" in done.err) == (2, True)


def test_a_finished_run_changes_nothing(folder, command):
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    done = command("train", *FLAGS, f"--run_dir={folder}")
    assert (done.code, "is finished; nothing to do" in done.out) == (0, True)
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    assert after == before


def test_a_run_from_before_there_were_some_flags_is_the_same_run(folder, command):
    settings = folder / "flags.txt"
    lines = settings.read_text().splitlines()
    settings.write_text("\n".join(line for line in lines if "colour" not in line) + "\n")
    assert len(settings.read_text().splitlines()) == len(lines) - 1
    done = command("train", *FLAGS, f"--run_dir={folder}")
    assert (done.code, "nothing to do" in done.out) == (0, True), done.err


def test_other_pictures_than_at_the_beginning_are_refused(train, command, monkeypatch, tmp_path):
    flags = [flag for flag in FLAGS if not flag.startswith("--steps_per_epoch")]
    folder = train("run", *flags, "--steps_per_epoch=5", "--epochs=1")
    state = Checkpoints(folder / "checkpoints", 2).newest()
    assert state.steps_per_epoch == 5
    monkeypatch.setattr(session.pipeline, "steps_in_epoch", lambda *arguments: 4)
    done = command("train", *flags, "--steps_per_epoch=5", "--epochs=2", f"--run_dir={folder}")
    assert (done.code, "4 steps an epoch" in done.err) == (2, True)


# Killed.


def start(folder, *flags):
    command = [sys.executable, "-c", "from facezoo.experiments.cli import main; main()", "train"]
    return subprocess.Popen(
        [*command, *flags, f"--run_dir={folder}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/"
    )


def saved(folder):
    return {path.name for path in (folder / "checkpoints").glob("[0-9]*")}


def killed_until_done(folder, flags, kills, seed=0):
    """Kills a run so many times, each at a random moment of its going on, then lets it end.

    Returns:
      How many of the kills left a half-written checkpoint.
    """
    numbers, amid_writes = np.random.default_rng(seed), 0
    for _ in range(kills):
        before = saved(folder)
        process = start(folder, *flags)
        while saved(folder) <= before:
            assert process.poll() is None, process.communicate()[1].decode()[-2000:]
            time.sleep(0.01)
        time.sleep(numbers.uniform(0.0, 0.3))
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        process.communicate()
        amid_writes += any((folder / "checkpoints").rglob(".*"))
    process = start(folder, *flags)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors.decode()[-2000:]
    return amid_writes


@pytest.mark.traced  # as those in processes of their own are
def test_a_killed_run_goes_on_bit_for_bit(train, tmp_path):
    flags = (*FLAGS, "--save_every=1", "--steps_per_epoch=20")
    killed_until_done(tmp_path / "killed", flags, kills=2)
    assert_same_run(train("whole", *flags), tmp_path / "killed")


@pytest.mark.long
@pytest.mark.traced
def test_a_run_killed_fifty_times_goes_on_bit_for_bit(train, tmp_path):
    flags = (*GAN_FLAGS, "--save_every=1", "--steps_per_epoch=100", "--epochs=5")
    amid_writes = killed_until_done(tmp_path / "killed", flags, kills=50)
    assert amid_writes > 10, f"only {amid_writes} of 50 kills left a half-written checkpoint"
    assert_same_run(train("whole", *flags), tmp_path / "killed")


# What is on the disk.


def test_a_damaged_checkpoint_is_left_out(whole, command, tmp_path, signal_at):
    signal_at(8)
    command("train", *FLAGS, f"--run_dir={tmp_path / 'run'}")
    path = newest(tmp_path / "run") / "model.keras"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    done = command("train", *FLAGS, f"--run_dir={tmp_path / 'run'}")
    assert done.code == 0, done.err
    assert "model.keras is damaged" in done.err
    assert_same_run(whole, tmp_path / "run")


@pytest.mark.parametrize("name", ["model.keras", "state.json", "SHA256SUMS"])
@pytest.mark.parametrize("harm", ["cut", "empty", "gone"])
def test_a_run_without_a_whole_checkpoint_is_refused(folder, command, name, harm):
    (folder / "model.keras").unlink()  # it has not finished
    for place in (folder / "checkpoints").glob("[0-9]*"):
        path = place / name
        data = path.read_bytes()
        path.unlink()
        if harm != "gone":
            path.write_bytes(data[: len(data) // 2] if harm == "cut" else b"")
    done = command("train", *FLAGS, f"--run_dir={folder}")
    assert (done.code, "no checkpoint to go on from" in done.err) == (2, True)


def test_the_last_checkpoints_and_the_best_model_are_kept(train):
    folder = train("run", *FLAGS, "--keep_checkpoints=3")
    assert [path.name for path in sorted((folder / "checkpoints").iterdir())] == [
        "000000012",
        "000000014",
        "000000015",
        "best",
    ]


def test_a_checkpoint_of_another_model_is_refused(train, command, stopped):
    other = train("other", *FLAGS, "--latent_dim=5", "--set=dropout=0.2", "--epochs=1", "--schedule_steps=15")
    for place in (stopped / "checkpoints").glob("[0-9]*"):
        shutil.rmtree(place)
    shutil.copytree(newest(other), stopped / "checkpoints" / "000000003")
    done = command("train", *FLAGS, f"--run_dir={stopped}")
    assert done.code == 2
    for part in ("latent_dim is 5, not 4", "dropout is 0.2, not 0.1"):
        assert part in done.err


def full_disk(after):
    """`keras.Model.save` that fails with a half-written file from the so manieth time on."""
    save, calls = keras.Model.save, [0]

    def failing(model, path, *arguments, **options):
        calls[0] += 1
        if calls[0] >= after:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(model, path, *arguments, **options)

    return failing


@pytest.mark.parametrize(("after", "step"), [(3, 2), (4, 4), (5, 4), (6, 5)])  # the 4th save is of the best model
def test_a_full_disk_leaves_the_last_state(whole, command, tmp_path, after, step):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "save", full_disk(after))
        done = command("train", *FLAGS, f"--run_dir={tmp_path / 'run'}")
    assert (done.code, os.strerror(errno.ENOSPC) in done.err) == (2, True)
    assert not list((tmp_path / "run" / "checkpoints").glob(".*"))
    again = command("train", *FLAGS, f"--run_dir={tmp_path / 'run'}")
    assert (again.code, f"from step {step}" in again.out) == (0, True)
    assert_same_run(whole, tmp_path / "run")


def test_a_state_that_was_put_aside_when_its_writer_was_killed_is_gone_on_from(tmp_path):
    """Between the two renames by which a state takes the place of one of the same step, after a rollback."""
    model = VAE(image_size=16, filters=(4,), latent_dim=2)
    model.compile()
    folder = tmp_path / "checkpoints"
    checkpoints = Checkpoints(folder, 2)
    for step in (1, 3):
        checkpoints.save(model, State(step=step))
    (folder / "000000003").rename(folder / ".before")
    (folder / ".partial").mkdir()
    assert checkpoints.newest().step == 3
    checkpoints.clean()
    assert sorted(path.name for path in folder.iterdir()) == ["000000001", "000000003"]
    assert checkpoints.newest().step == 3
    shutil.copytree(folder / "000000003", folder / ".before")  # killed after both
    (folder / ".before" / "SHA256SUMS").unlink()  # amid its removal
    checkpoints.clean()
    assert sorted(path.name for path in folder.iterdir()) == ["000000001", "000000003"]


def test_a_checkpoint_is_not_trusted_for_its_name(tmp_path):
    (tmp_path / "000000007").mkdir(parents=True)
    assert Checkpoints(tmp_path, 2).newest() is None


def test_a_state_of_another_version_is_refused(tmp_path):
    model = VAE(image_size=16, filters=(4,), latent_dim=2)
    model.compile()
    Checkpoints(tmp_path, 2).save(model, State(step=1))
    path = tmp_path / "000000001" / "state.json"
    text = json.dumps(json.loads(path.read_text()) | {"unknown": 1})
    path.write_text(text)
    sums = path.with_name("SHA256SUMS")
    lines = [line for line in sums.read_text().splitlines() if "state.json" not in line]
    sums.write_text("\n".join([*lines, f"{hashlib.sha256(text.encode()).hexdigest()}  state.json"]) + "\n")
    with pytest.raises(UsageError, match="another version"):
        Checkpoints(tmp_path, 2).newest()


# Two at once.


def test_a_second_training_is_refused(command, stopped):
    (stopped / run_folder.LOCK_FILE).touch()  # of a process that is gone
    with filelock.FileLock(stopped / run_folder.LOCK_FILE):
        done = command("train", *FLAGS, f"--run_dir={stopped}")
    assert done.code == 2
    assert "another training writes there" in done.err
    assert command("train", *FLAGS, f"--run_dir={stopped}").code == 0


# Updates that are not finite.


@pytest.mark.parametrize("where", ["data", "loss", "gradients"])
def test_a_bad_step_changes_nothing(pictures, where):
    model = VAE(image_size=32, filters=(4, 4), latent_dim=2)
    model.compile("adam")
    batch = {"image": tf.constant(pictures)}
    model.train_step(batch)
    before = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    logs = model.train_step(broken(model, batch, where))
    after = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert float(logs["skipped_steps"]) == 1.0
    assert np.isfinite(float(logs["loss"]))


def broken(model, batch, where):
    """A batch with which an update is not finite, or the batch and a model that is broken."""
    if where == "data":
        pixels = batch["image"].numpy()
        pixels[3, 4, 5, 0] = np.nan
        return {"image": tf.constant(pixels)}
    term = model.objective.terms["kl"]

    def breaking(batch, outputs):
        value = term(batch, outputs)
        if where == "loss":
            return value + tf.constant([np.inf] + 7 * [0.0])
        zero = tf.stop_gradient(outputs["mean"][:, 0]) - outputs["mean"][:, 0]  # 0, but its root has no slope
        return value + tf.sqrt(tf.nn.relu(zero))

    model.objective.terms["kl"] = breaking
    return batch


def test_a_bad_step_is_left_out_by_both_players(pictures):
    discriminator = Discriminator(image_size=32, filters=(4, 8))
    model = AutoencoderGAN(
        autoencoder=VAE(image_size=32, filters=(4, 4), latent_dim=2), discriminator=discriminator, balance="none"
    )
    model.compile("adam", discriminator_optimizer="adam")
    model.train_step({"image": tf.constant(pictures)})
    watched = [*model.variables, *model.optimizer.variables, *model.discriminator_optimizer.variables]
    before = [variable.numpy() for variable in watched]
    logs = model.train_step(broken(model, {"image": tf.constant(pictures)}, "data"))
    for variable, value in zip(watched, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert float(logs["skipped_steps"]) == 1.0
    assert np.isfinite([float(value) for value in logs.values()]).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_one_bad_example_stops_all_replicas(pictures, two_devices, policy):
    keras.config.set_dtype_policy(policy)
    with two_devices.scope():
        model = VAE(image_size=32, filters=(4, 4), latent_dim=2)
        model.compile("adam")
    good, bad = {"image": tf.constant(pictures)}, broken(None, {"image": tf.constant(pictures)}, "data")
    step = tf.function(lambda batch: two_devices.run(model.train_step, args=(batch,)))
    datasets = [tf.data.Dataset.from_tensors(batch) for batch in (good, bad)]
    batches = [next(iter(two_devices.experimental_distribute_dataset(data.unbatch().batch(8)))) for data in datasets]
    step(batches[0])
    before = [variable.numpy() for variable in model.variables]
    logs = step(batches[1])
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert float(two_devices.reduce("MEAN", logs["skipped_steps"], axis=None)) == 1.0


@pytest.fixture
def broken_steps(monkeypatch):
    """The pictures of some training steps, from 0, are NaN: the first time they are loaded, or whenever they are."""

    def arrange(steps, whenever=False):
        load, loaded = session.pipeline._load, set()

        def loading(source, key, indices_of, batch_size):
            batch = session.pipeline._with_float_pictures(load(source, key, indices_of, batch_size))
            if "validation" in source.name:
                return batch

            def harmed(images, step):
                is_new = step not in loaded
                loaded.add(int(step))
                return np.full_like(images, np.nan) if step in steps and (is_new or whenever) else images

            images = tf.numpy_function(harmed, [batch["image"], key], tf.float32)
            return batch | {"image": tf.ensure_shape(images, batch["image"].shape)}

        monkeypatch.setattr(session.pipeline, "_load", loading)

    return arrange


def test_some_bad_batches_are_skipped_and_counted(train, broken_steps):
    broken_steps([2, 3])
    folder = train("run", *FLAGS)
    assert [row["skipped_steps"] for row in rows_of(folder)] == ["2.0", "0.0", "0.0"]
    assert all(np.isfinite(float(row["loss"])) for row in rows_of(folder))


def test_many_bad_batches_roll_the_run_back_at_half_the_rate(train, command, tmp_path, broken_steps):
    broken_steps(range(3, 13))
    flags = (*LONG_EPOCHS, "--schedule=constant", "--learning_rate=1e-3", "--warmup_steps=0")
    done = command("train", *flags, f"--run_dir={tmp_path / 'run'}")
    assert done.code == 0, done.err
    assert "back to step 2 with 0.5 times the learning rate" in done.err
    assert [float(row["learning_rate"]) for row in rows_of(tmp_path / "run")] == pytest.approx(2 * [5e-4])
    assert [row["epoch"] for row in rows_of(tmp_path / "run")] == ["1", "2"]
    assert scalar_steps(tmp_path / "run") == [15, 30]


def test_updates_left_out_are_counted_over_a_stop(command, tmp_path, broken_steps, signal_at):
    broken_steps(range(3, 13), whenever=True)
    signal_at(8)
    assert command("train", *LONG_EPOCHS, f"--run_dir={tmp_path / 'run'}").code == 143
    done = command("train", *LONG_EPOCHS, f"--run_dir={tmp_path / 'run'}")
    assert (done.code, "up to step 13; back to step 8" in done.err) == (0, True), done.err


@pytest.mark.parametrize("stopped", [False, True])
def test_an_epoch_without_an_update_has_no_loss(train, command, tmp_path, broken_steps, signal_at, stopped):
    broken_steps(range(5), whenever=True)
    if stopped:
        signal_at(3)
        assert command("train", *FLAGS, f"--run_dir={tmp_path / 'run'}").code == 143
    rows = rows_of(train("run", *FLAGS))
    assert [row["loss"] == "nan" for row in rows] == [True, False, False]
    assert rows[0]["skipped_steps"] == "5.0"


def test_a_run_that_stays_bad_ends_with_the_term_and_the_batch(command, tmp_path, broken_steps):
    broken_steps(range(3, 60), whenever=True)
    done = command("train", *LONG_EPOCHS, "--rollbacks=1", f"--run_dir={tmp_path / 'run'}")
    assert done.code == 2
    message = done.err.strip().splitlines()[-1]
    for part in ("rolled back 1 times", "reconstruction", "bad_batch.npz", "--learning_rate"):
        assert part in message
    with np.load(tmp_path / "run" / "bad_batch.npz") as batch:
        assert np.isnan(batch["image"]).any()
    assert newest(tmp_path / "run").name == "000000002"


def test_a_code_that_tells_nothing_is_warned_of(command, tmp_path):
    done = command("train", *FLAGS, "--kl_factor=1e6", "--set=capacity=None", f"--run_dir={tmp_path / 'run'}")
    assert done.code == 0
    assert "posterior collapse" in done.err


def test_only_where_there_is_a_kl_term_its_factor_is_blamed(caplog):
    epoch = loop.Epoch(1, 5, {"kl": 0.1}, 1.0)  # which may be that of another code
    training_run._warn_of_collapse(epoch, training_run.Measurement({"active_units": 0}, 8))
    assert "no unit of the code is active" in caplog.text
    assert "--kl_factor" not in caplog.text
    training_run._warn_of_collapse(epoch, training_run.Measurement({"active_units": 0}, 8, kl=np.zeros(4)))
    assert "--kl_factor" in caplog.text


def test_a_discriminator_that_always_wins_is_warned_of(caplog):
    training_run._warn_of_collapse(
        loop.Epoch(1, 5, {"discriminator_accuracy": 0.995}, 1.0), training_run.Measurement({"active_units": 3}, 8)
    )
    assert "the discriminator is right of 99.5 %" in caplog.text
