"""Before TensorFlow starts: two logical CPU devices, so that one replica can be held against two."""

import gc
import resource
import shutil
import signal
import types
from pathlib import Path

import facezoo
import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.experiments import cli

pytest.register_assert_rewrite("command_line")
from command_line import VAE_FLAGS  # noqa: E402  the line above has to come first
from steps import everything_traced, is_everything_traced, take_few_steps_eagerly  # noqa: E402

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


PEAKS = pytest.StashKey[dict[str, int]]()  # megabytes of each process


def pytest_sessionfinish(session):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak"] = peak
    else:
        session.config.stash.setdefault(PEAKS, {})["main"] = peak


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    node.config.stash.setdefault(PEAKS, {})[node.gateway.id] = getattr(node, "workeroutput", {}).get("peak", 0)


def pytest_terminal_summary(terminalreporter, config):
    peaks = config.stash.get(PEAKS, {})
    terminalreporter.write_line("most memory: " + ", ".join(f"{name} {peak:,} MB" for name, peak in peaks.items()))


@pytest.fixture(autouse=True)
def fresh_state():
    """Every test starts with the same seeds and in float32."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(autouse=True, scope="session")
def few_steps_eagerly():
    """Trainings of few steps are not traced: their graphs cost more than they do, and are never freed."""
    with pytest.MonkeyPatch.context() as patch:
        take_few_steps_eagerly(patch)
        yield


@pytest.fixture(autouse=True)
def traced(request):
    """A test that is marked so has the graphs that a user's training has."""
    with everything_traced(request.node.get_closest_marker("traced") is not None):
        yield


@pytest.fixture(autouse=True, scope="module")
def nothing_left():
    """Models and graphs refer to themselves in circles and would stay for long after the tests of a file."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def two_devices():
    """One strategy for all tests: the collectives of two in one process get into each other's way."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def pictures():
    """Eight smooth pictures that differ, float32 [8, 32, 32, 3] in [0, 1]."""
    numbers = np.random.default_rng(0)
    y, x = np.mgrid[0:32, 0:32] / 31.0
    waves = [np.sin(x * a + y * b + c) for a, b, c in numbers.uniform(0, 6, (24, 3))]
    return (np.stack(waves).reshape(8, 3, 32, 32).transpose(0, 2, 3, 1) * 0.4 + 0.5).astype(np.float32)


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """The test starts in a folder of its own, where a run folder that should not be there would be seen."""
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def command(capsys, empty_folder):
    """Runs a command in this process: its exit code and what it printed."""

    def run(*arguments):
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return types.SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return run


@pytest.fixture
def train(command, tmp_path):
    """Trains into a new run folder; returns the folder."""

    def train_to(name, *arguments):
        done = command("train", *arguments, f"--run_dir={tmp_path / name}")
        assert done.code == 0, done.err
        return tmp_path / name

    return train_to


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The finished run of some flags, trained the first time it is asked for; no test changes it."""
    runs = {}

    def run(*flags):
        key = flags, is_everything_traced()
        if key not in runs:
            folder = tmp_path_factory.mktemp("runs") / "finished"
            assert cli.run(["train", *flags, f"--run_dir={folder}"]) == 0
            runs[key] = folder
        return runs[key]

    return run


@pytest.fixture(scope="session")
def finished(trained):
    """A tiny trained run that no test changes."""
    return trained(*VAE_FLAGS)


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of it, for what writes into the run folder, without codes that other tests have kept."""
    return Path(shutil.copytree(finished, tmp_path / "copied", ignore=shutil.ignore_patterns("codes")))


@pytest.fixture(scope="session")
def model(finished):
    return facezoo.load(finished)


@pytest.fixture
def heeds_signals():
    """SIGHUP and Ctrl-C end what is started here, though `nohup` or a background shell has the tests ignore them."""
    ours = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
