"""Where a training computes: in which precision, on which devices, with which other processes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from ..datasets.share import Share
from .errors import UsageError

CPU_INFO = Path("/proc/cpuinfo")
FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16")  # Linux' names of what x86 CPUs can
FIRST_PORT = 8888  # of Slurm's tasks on a host


def best_precision() -> str:
    """What `--precision=auto` is here: the fastest that all of the devices compute in themselves."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        words = CPU_INFO.read_text().split() if CPU_INFO.exists() else []
        return "mixed_bfloat16" if any(word in FAST_BFLOAT16 for word in words) else "float32"
    capability = min(tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus)
    if capability >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= (7, 0) else "float32"


def make_strategy(name: str, devices: int | None) -> tf.distribute.Strategy:
    """TensorFlow's strategy by its flag; TensorFlow must not have computed anything yet.

    `auto` takes the workers that TF_CONFIG or Slurm speaks of, else all GPUs, else the one device there is. Without a
    GPU, several devices are logical ones that share the CPU: slower than one, for trying and testing.

    Args:
      name: "auto", "one_device", "mirrored" or "multi_worker".
      devices: of each process; None is all GPUs, or one CPU.

    Raises:
      UsageError: more devices than there are, devices for one_device, or no description of the workers.
    """
    workers = _workers() if name in ("auto", "multi_worker") else None
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if name == "auto":
        several = (devices or len(tf.config.list_physical_devices("GPU"))) > 1
        name = "multi_worker" if workers else "mirrored" if several else "one_device"
    if name == "one_device":
        if devices not in (None, 1):
            raise UsageError(f"--devices={devices} needs --strategy=mirrored")
        return tf.distribute.get_strategy()
    if name == "multi_worker":
        return _multi_worker(workers, kind, devices)
    if kind == "CPU" and devices:
        _split_cpu(devices)
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices and devices > len(found):
        raise UsageError(f"--devices={devices}, but there are {len(found)} {kind}s")
    return tf.distribute.MirroredStrategy(found[:devices])


def distributed(
    strategy: tf.distribute.Strategy, batches: Callable[[Share], tf.data.Dataset], batch_size: int
) -> tf.distribute.DistributedDataset:
    """Global batches, of which each worker loads its share and each replica gets its rows.

    Args:
      batches: a share -> its part of every batch.
      batch_size: of the global batch.
    """

    def of_worker(context):
        share = Share(context.input_pipeline_id, context.num_input_pipelines)
        return batches(share).rebatch(context.get_per_replica_batch_size(batch_size), drop_remainder=True)

    return strategy.distribute_datasets_from_function(of_worker)


class Workers:
    """The processes that train together, one of them the chief; a process by itself is the chief.

    All of them must come to each `wait` and each `any`.

    Args:
      strategy: of the training.

    Attributes:
      count: of them.
      is_chief: this one writes the run folder and tells the user.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        resolver = strategy.cluster_resolver
        jobs = resolver.cluster_spec().as_dict() if resolver else {}
        self.count = sum(len(addresses) for addresses in jobs.values()) or 1
        self.is_chief = self.count == 1 or (resolver.task_type, resolver.task_id) == (min(jobs), 0)  # chief < worker
        self._sum = tf.function(lambda number: strategy.reduce("SUM", strategy.run(tf.identity, (number,)), axis=None))

    def wait(self) -> None:
        """Comes back when all of them are here."""
        self.any(False)

    def any(self, is_so: bool) -> bool:
        """Whether it is so for any of them."""
        if self.count == 1:
            return is_so
        return bool(self._sum(tf.constant(float(is_so))) > 0.0)


def _multi_worker(
    workers: tf.distribute.cluster_resolver.ClusterResolver | None, kind: str, devices: int | None
) -> tf.distribute.Strategy:
    """Waits until all of them are there."""
    if workers is None:
        raise UsageError(
            "--strategy=multi_worker: neither TF_CONFIG nor Slurm says which workers there are; "
            "for several on this machine: facezoo launch --workers=2 -- train ..."
        )
    found = tf.config.list_physical_devices(kind)
    if devices and devices > len(found):
        raise UsageError(f"--devices={devices}, but a worker here has {len(found)} {kind}{'s' * (len(found) > 1)}")
    if devices and kind == "GPU":
        tf.config.set_visible_devices(found[:devices], "GPU")
    return tf.distribute.MultiWorkerMirroredStrategy(workers)


def _split_cpu(devices: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    except RuntimeError:  # TensorFlow is running already: the devices are what they are
        return


def _workers() -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """The processes that train together, as TF_CONFIG or Slurm's variables say; None where neither does."""
    if os.environ.get("TF_CONFIG"):
        _check_tf_config(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if os.environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return _slurm_workers()
    return None


def _check_tf_config(text: str) -> None:
    """A UsageError where it is not {"cluster": {"worker": ["host:port", ...]}, "task": {"type": ..., "index": ...}}."""
    try:
        config = json.loads(text)
        kinds = {kind: len(addresses) for kind, addresses in config["cluster"].items()}
        kind, number = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        form = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        raise UsageError(f"TF_CONFIG must be {form}") from error
    if not kinds or not kinds.keys() <= {"chief", "worker"} or kinds.get("chief", 1) != 1:
        raise UsageError(
            f"TF_CONFIG: the cluster has {', '.join(kinds) or 'nobody'}; it may have one chief, and workers"
        )
    if not 0 <= number < kinds.get(kind, 0):
        raise UsageError(f"TF_CONFIG: the cluster has no {kind} number {number}")


def _slurm_workers() -> tf.distribute.cluster_resolver.ClusterResolver:
    """Slurm's tasks, each with the GPUs that Slurm shows it (`--gpus-per-task`)."""
    resolvers = tf.distribute.cluster_resolver
    try:
        tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        # TensorFlow would share out a host's GPUs by itself, and fails where there are none.
        slurm = resolvers.SlurmClusterResolver(
            port_base=FIRST_PORT, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        spec = slurm.cluster_spec()
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"Slurm's variables do not describe its tasks: {error}") from error
    gpus = {"GPU": len(tf.config.list_physical_devices("GPU"))}
    return resolvers.SimpleClusterResolver(spec, "", slurm.task_type, slurm.task_id, num_accelerators=gpus)
