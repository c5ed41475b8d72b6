"""Several processes that train together: who they are, what each loads, and the launcher that watches them."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from command_line import SCRIPT, VAE_FLAGS, assert_refused, rows_of, weights_of
from facezoo.datasets import augmentation
from facezoo.datasets.masks import with_masks
from facezoo.datasets.pipeline import evaluation_batches, training_batches
from facezoo.datasets.procedural import ATTRIBUTE_NAMES, LANDMARK_NAMES, procedural_faces
from facezoo.datasets.share import Share
from facezoo.experiments.commands import launch
from facezoo.experiments.commands import train as train_command
from facezoo.experiments.flags.parsing import parse
from facezoo.experiments.machine import looking
from facezoo.experiments.training import devices, gathering, launcher

SMALLEST = tuple(flag.replace("filters=8,8", "filters=4,") for flag in VAE_FLAGS)  # each process traces it
# The rate is low enough for the order of summation not to be amplified from step to step.
FLAGS = (
    *(*SMALLEST, "--optimizer=sgd", "--momentum=0", "--learning_rate=1e-4", "--set=dropout=0.25", "--flip"),
    *("--steps_per_epoch=30", "--save_every=5"),
)


# What each loads.


@pytest.mark.parametrize("count", [2, 4])
def test_the_shares_of_a_training_batch_are_its_parts(count):
    source = with_masks(procedural_faces("train", image_size=32))
    changes = [
        augmentation.flip(LANDMARK_NAMES, ATTRIBUTE_NAMES),
        augmentation.colour(0.5),
        augmentation.affine(),
        augmentation.blur(),
        augmentation.random_warp(landmark_names=LANDMARK_NAMES, attribute_names=ATTRIBUTE_NAMES),
    ]

    def first_batch(share):
        batches = training_batches(
            source, 8, seed=1, steps_per_epoch=5, augmentation=augmentation.chain(*changes), share=share
        )
        return next(iter(batches))

    assert_parts(first_batch(Share()), [first_batch(Share(number, count)) for number in range(count)])


def test_the_shares_of_an_evaluation_batch_are_its_parts():
    source = procedural_faces("test", image_size=32)
    whole, *parts = (list(evaluation_batches(source, 8, 13, share)) for share in (Share(), Share(0, 2), Share(1, 2)))
    assert [int(tf.reduce_sum(tf.cast(~batch["padding"], tf.int32))) for batch in whole] == [8, 5]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert_parts(batch, shares)


def assert_parts(whole, parts):
    for name, values in whole.items():
        together = np.concatenate([part[name] for part in parts])
        np.testing.assert_allclose(together, values, rtol=0, atol=1e-5, err_msg=name)


# Who they are.


def test_tf_config_names_the_workers(monkeypatch):
    cluster = {"worker": ["a:1", "b:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 1}}))
    resolver = devices._workers()
    assert resolver.cluster_spec().as_dict() == cluster
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "TF_CONFIG must be"),
        ("[]", "TF_CONFIG must be"),
        ('{"cluster": {"worker": ["a:1"]}}', "TF_CONFIG must be"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "first"}}', "TF_CONFIG must be"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "no worker number 1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', "no chief number 0"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}', "worker, ps"),
        ('{"cluster": {"chief": ["a:1", "b:1"]}, "task": {"type": "chief", "index": 0}}', "one chief"),
        ('{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}', "TF_CONFIG must be"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "TF_CONFIG must be"),
        ('{"cluster": {"worker": ["a:99999"]}, "task": {"type": "worker", "index": 0}}', "TF_CONFIG must be"),
        ('{"cluster": {"worker": ["a..b:1"]}, "task": {"type": "worker", "index": 0}}', "TF_CONFIG must be"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": Infinity}}', "TF_CONFIG must be"),
        ('{"cluster": {}, "task": {"type": "worker", "index": 0}}', "nobody"),
    ],
)
def test_a_bad_tf_config_is_refused(command, monkeypatch, empty_folder, config, words):
    monkeypatch.setenv("TF_CONFIG", config)
    done = command("train", "--strategy=multi_worker", "--run_dir=run")
    assert_refused(done, words)
    assert list(empty_folder.iterdir()) == []


def test_slurm_s_tasks_are_workers_in_its_order(monkeypatch):
    variables = {"PROCID": "2", "STEP_NUM_TASKS": "3", "STEP_NODELIST": "node[9-10]", "STEP_TASKS_PER_NODE": "2,1"}
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    resolver = devices._workers()
    assert resolver.cluster_spec().as_dict() == {"worker": ["node9:12000", "node9:12001", "node10:12000"]}
    assert (resolver.task_type, resolver.task_id, resolver.num_accelerators()) == ("worker", 2, {"GPU": 0})
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert devices._workers(4).cluster_spec().task_address("worker", 0) == "node9:12700"
    assert devices._workers(4).num_accelerators() == {"GPU": 4}
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node[1-")
    with pytest.raises(devices.UsageError, match="Slurm's variables"):
        devices._workers()


def test_one_task_of_slurm_trains_alone(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert devices.make_strategy("auto", None) is tf.distribute.get_strategy()


def test_workers_must_be_known(command):
    assert_refused(command("train", "--strategy=multi_worker", "--run_dir=run"), "facezoo launch --workers=2")


# What is chosen where nothing is said.


@pytest.mark.parametrize(
    ("cpu", "precision"),
    [("fma avx2 avx512f", "float32"), ("fma avx512_bf16 sha", "mixed_bfloat16"), ("amx_bf16", "mixed_bfloat16")],
)
def test_the_precision_is_the_cpu_s(monkeypatch, tmp_path, cpu, precision):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {cpu}\n")
    monkeypatch.setattr(looking, "CPU_INFO", tmp_path / "cpuinfo")
    assert devices.best_precision() == precision


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [([(8, 0), (9, 0)], "mixed_bfloat16"), ([(8, 6), (7, 5)], "mixed_float16"), ([(6, 1)], "float32")],
)
def test_the_precision_is_that_of_the_oldest_gpu(monkeypatch, capabilities, precision):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(range(len(capabilities))))
    details = [{"compute_capability": capability} for capability in capabilities]
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)
    assert devices.best_precision() == precision


@pytest.mark.parametrize(
    ("cpu", "precision", "is_told"),
    [
        ("fma avx2", "mixed_bfloat16", True),
        ("fma avx2", "float32", False),
        ("avx512_bf16", "mixed_bfloat16", False),
        ("avx512_bf16", "mixed_float16", True),
        ("", "mixed_bfloat16", False),  # nothing is known of it
    ],
)
def test_an_emulated_precision_is_told(monkeypatch, caplog, cpu, precision, is_told):
    monkeypatch.setattr(devices, "read_processor_flags", cpu.split)
    monkeypatch.setattr(devices, "_find_capabilities", list)
    devices.warn_of_devices(precision)
    assert ("give --precision=auto" in caplog.text) == is_told


def test_a_run_says_and_keeps_its_precision(command, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "best_precision", lambda: "mixed_bfloat16")
    done = command(
        "train", *SMALLEST, "--epochs=1", "--precision=auto", "--strategy=auto", f"--run_dir={tmp_path / 'run'}"
    )
    assert done.code == 0, done.err
    assert "training on CPU:0 in mixed_bfloat16" in done.out
    assert "--precision=mixed_bfloat16" in (tmp_path / "run" / "flags.txt").read_text()
    monkeypatch.setattr(devices, "best_precision", lambda: "float32")  # of another machine
    done = command(
        "train", *SMALLEST, "--epochs=2", "--precision=auto", "--strategy=one_device", f"--run_dir={tmp_path / 'run'}"
    )
    assert done.code == 0, done.err
    assert "in mixed_bfloat16, from step 4" in done.out


# The launcher.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--workers=2",), "after two dashes"),
        (("--workers=2", "--", "evaluate"), "after two dashes"),
        (("--workers=0", "--", "train"), "--workers"),
        (("--", "train", "--model=vae", "--epoch=3"), "epoch"),
        (("--", "train", "--strategy=mirrored"), "multi_worker"),
        (("--workers=3", "--", "train"), "there are 2 GPUs"),
    ],
)
def test_the_launcher_refuses(command, monkeypatch, empty_folder, arguments, words):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert_refused(command("launch", *arguments), words)
    assert list(empty_folder.iterdir()) == []


def test_the_launcher_shares_out_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    assert launcher.share_gpus(2) == ["4,5", "6,7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert launcher.share_gpus(2) == [None, None]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", "")
    assert launcher.share_gpus(2) == [None, None]


def test_the_launcher_finds_gpus_by_nvidia_s_tool(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: a)'\necho 'GPU 1: B (UUID: b)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert launcher.share_gpus(2) == ["0", "1"]


def test_what_all_workers_must_agree_on_is_told_to_all():
    *_, strategy, run_dir = launch._train_arguments(["train", "--model=cae"])
    assert strategy == "--strategy=multi_worker"
    assert re.fullmatch(r"--run_dir=runs/cae-procedural_faces-\d+-\d+", run_dir)
    assert parse(train_command.define_flags, [run_dir]).run_dir


@pytest.fixture
def run_launcher():
    """Starts the launcher in a process of its own, and ends it with its workers."""
    started = []

    def run(*arguments, **environment):
        command = [SCRIPT, "launch", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=os.environ | environment, **pipes))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            for worker in children_of(process):
                os.kill(worker, signal.SIGKILL)
            process.kill()
        process.communicate()


def children_of(process):
    """The workers, chief first."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return sorted(int(number) for number in listed.stdout.split())


def test_a_fault_of_the_flags_is_told_once_and_not_tried_again(run_launcher):
    process = run_launcher("--", "train", *FLAGS, "--batch_size=7", "--run_dir=run")
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors.count("facezoo: ")) == (2, 1), errors
    assert "--batch_size=7 must be a multiple of the 2 devices" in errors


def wait_for_step(folder, step):
    deadline = time.monotonic() + 120
    while not any(int(path.name) >= step for path in (folder / "checkpoints").glob("[0-9]*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def assert_as_one(one, several):
    np.testing.assert_equal(len(weights_of(one)), len(weights_of(several)))
    for first, second in zip(weights_of(one), weights_of(several), strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-5)
    for first, second in zip(rows_of(one), rows_of(several), strict=True):
        for name in set(first) - {"images_per_second"}:
            np.testing.assert_allclose(float(first[name]), float(second[name]), rtol=1e-3, atol=1e-5, err_msg=name)


def test_two_workers_of_which_one_is_killed_end_as_one_process(train, tmp_path, run_launcher):
    one, several = train("one", *FLAGS), tmp_path / "several"
    process = run_launcher("--workers=2", "--", "train", *FLAGS, f"--run_dir={several}")
    wait_for_step(several, 10)
    os.kill(children_of(process)[1], signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-3000:]
    assert "worker 1 was killed by signal 9: starting all again, 1 of 3 times" in errors
    assert len(json.loads((several / "environment.json").read_text())["devices"]) == 2
    assert_as_one(one, several)


@pytest.mark.long
def test_workers_killed_ten_times_end_bit_for_bit(tmp_path, run_launcher):
    flags = (*FLAGS, "--steps_per_epoch=200", "--save_every=1")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    undisturbed = run_launcher("--workers=2", "--", "train", *flags, f"--run_dir={whole}")
    assert undisturbed.communicate(timeout=600) and undisturbed.returncode == 0
    process = run_launcher("--workers=2", "--restarts=10", "--", "train", *flags, f"--run_dir={killed}")
    numbers, step = np.random.default_rng(0), 0
    for kill in range(10):
        wait_for_step(killed, step + 1)
        time.sleep(numbers.uniform(0.0, 0.5))
        workers = children_of(process)
        os.kill(workers[kill % 2], signal.SIGKILL)
        while set(workers) & set(children_of(process)):
            time.sleep(0.05)
        step = max(int(path.name) for path in (killed / "checkpoints").glob("[0-9]*"))
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-3000:]
    assert errors.count("starting all again") == 10
    for first, second in zip(weights_of(whole), weights_of(killed), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_launcher_saves(tmp_path, run_launcher, number):
    folder = tmp_path / "run"
    process = run_launcher("--", "train", *FLAGS, f"--run_dir={folder}")
    wait_for_step(folder, 5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors.count("facezoo: ")) == (128 + number, 1), errors[-3000:]
    step = int(re.search(rf"{number.name}: stopped after step (\d+)", errors)[1])
    assert (folder / "checkpoints" / f"{step:09d}" / "SHA256SUMS").is_file()


def test_a_launcher_that_is_stopped_while_workers_start_does_not_start_them_again(run_launcher):
    process = run_launcher("--", "train", *FLAGS, "--run_dir=run")
    while not children_of(process):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "again" in errors) == (143, False), errors


def test_a_worker_that_fails_is_named_with_its_last_words(run_launcher, tmp_path):
    """The second worker ends before it has begun."""
    (tmp_path / "faults" / "sitecustomize.py").parent.mkdir()
    (tmp_path / "faults" / "sitecustomize.py").write_text(
        "import os\nif '\"index\": 1' in os.environ.get('TF_CONFIG', ''): raise SystemExit('this host is ill')\n"
    )
    process = run_launcher("--restarts=0", "--", "train", *FLAGS, "--run_dir=run", PYTHONPATH=str(tmp_path / "faults"))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "this host is ill" in errors
    assert "worker 1 ended with code 1: giving up" in errors


def test_workers_do_not_outlive_a_launcher_that_is_killed(tmp_path, run_launcher):
    """They save, as by SIGTERM, and end."""
    folder = tmp_path / "run"
    process = run_launcher("--", "train", *FLAGS, "--epochs=500", f"--run_dir={folder}")
    wait_for_step(folder, 5)
    workers = children_of(process)
    process.kill()
    process.communicate(timeout=120)  # its streams end with the workers that have them
    deadline = time.monotonic() + 60
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    step = max(int(path.name) for path in (folder / "checkpoints").glob("[0-9]*"))
    assert (folder / "checkpoints" / f"{step:09d}" / "SHA256SUMS").is_file()


def is_running(number):
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True).stdout
    return bool(listed.strip()) and not listed.startswith("Z")


def alone(folder, number=0):
    """The first or the second worker of two, without the other; and its address."""
    addresses = [f"127.0.0.1:{port}" for port in launcher._free_ports(2)]
    task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
    command = [SCRIPT, "train", *FLAGS, "--strategy=multi_worker", f"--run_dir={folder}"]
    environment = os.environ | {"TF_CONFIG": json.dumps(task)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True), addresses[number]


@pytest.mark.usefixtures("heeds_signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_worker_that_waits_can_be_stopped(tmp_path, number, code):
    process, own = alone(tmp_path / "run", int(number == signal.SIGTERM))
    deadline = time.monotonic() + 120
    while not gathering._answers(own):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    try:
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code
    assert not (tmp_path / "run").exists()


def test_a_worker_says_whom_it_waits_for(monkeypatch, capsys):
    own, other = (f"127.0.0.1:{port}" for port in launcher._free_ports(2))
    monkeypatch.setattr(gathering, "SECONDS_OF_SILENCE", 0.0)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(gathering.wait_for_all, [own, other], own)
        while "waiting" not in (said := capsys.readouterr().err):
            assert not first.done()
            time.sleep(0.05)
        assert said == f"waiting for the workers at {other}\n"
        with gathering._listening(int(other.rpartition(":")[2])):
            first.result(timeout=60)


def test_workers_that_see_different_runs_are_refused(tmp_path, empty_folder, train):
    """Each with a folder of its own, of which the chief's holds a run that has begun."""
    train("0", *FLAGS, "--epochs=1", "--steps_per_epoch=6", "--save_every=2")
    (tmp_path / "0" / "model.keras").unlink()
    for path in (tmp_path / "0" / "checkpoints").glob("00000000[56]"):
        shutil.rmtree(path)
    ports = launcher._free_ports(2)
    addresses = [f"127.0.0.1:{port}" for port in ports]
    processes = []
    for number in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        flags = (*FLAGS, "--epochs=1", "--steps_per_epoch=6", "--save_every=2", "--strategy=multi_worker")
        command = [SCRIPT, "train", *flags, f"--run_dir={tmp_path / str(number)}"]
        environment = os.environ | {"TF_CONFIG": json.dumps(task)}
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, "the workers see different runs" in errors) == (2, True), errors
