"""Where a training computes: in which precision, on which devices, with which other processes."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator

import tensorflow as tf
from absl import logging

# Private to TensorFlow, whose public resolver orders Slurm's hosts otherwise (see `_slurm_workers`).
from tensorflow.python.distribute.cluster_resolver.slurm_cluster_resolver import expand_hostlist, expand_tasks_per_node

from ...datasets.share import Share
from ...models.pretrained import reason
from ..errors import StoppedError, UsageError
from ..machine.cards import choose_precision, explain_failures, is_emulated
from ..machine.description import Version
from ..machine.looking import describe_build, find_cards, read_processor_flags
from .gathering import signals_kept, wait_for_all

MOST_PORT = 65535
PORTS = range(12000, 32000, 100)  # where those of one of Slurm's jobs on a host begin
LOST = (  # what a collective says of a worker that is gone
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


def best_precision() -> str:
    """What `--precision=auto` is here."""
    return choose_precision(_find_capabilities(), read_processor_flags())


def resolve_precision(name: str) -> str:
    """What a value of `--precision` is here."""
    return best_precision() if name == "auto" else name


def warn_of_devices(precision: str) -> None:
    """Says of each GPU that this TensorFlow has no kernels for that trainings fail on it, and the way out.

    Where there is none, it says as well if the processor emulates the precision.
    """
    for line in explain_failures(find_cards(tf), describe_build(tf)):
        logging.warning("%s", line)
    processor_flags = read_processor_flags()
    if processor_flags and not _find_capabilities() and is_emulated(precision, processor_flags):
        logging.warning(
            "this processor emulates %s, several times as slowly as it computes float32: give --precision=auto to a "
            "new run",
            precision,
        )


def _find_capabilities() -> list[Version]:
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return [about.get("compute_capability", (0, 0)) for about in details]


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
    workers = _workers(devices) if name in ("auto", "multi_worker") else None
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


def distribute(
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

    All of them must come to each call of a method.

    Attributes:
      strategy: of the training.
      count: of them.
      is_chief: this one writes the run folder and tells the user.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        resolver = strategy.cluster_resolver
        jobs = resolver.cluster_spec().as_dict() if resolver else {}
        self.count = sum(len(addresses) for addresses in jobs.values()) or 1
        self.is_chief = self.count == 1 or (resolver.task_type, resolver.task_id) == (min(jobs), 0)  # chief < worker

        @tf.function
        def gathered(number):
            return strategy.gather(strategy.run(lambda number: number[None], (number,)), axis=0)

        self._gathered = gathered

    def numbers(self, number: int) -> set[int]:
        """What all of them give."""
        if self.count == 1:
            return {number}
        return set(self._gathered(tf.constant(number, tf.int64)).numpy().tolist())

    def wait(self) -> None:
        """Comes back when all of them are here."""
        self.numbers(0)

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Within, a worker that is lost, which the others cannot do without, ends this one with a clear line.

        Raises:
          StoppedError: one is lost.
        """
        try:
            yield
        except LOST as error:
            if self.count == 1:
                raise
            message = "a worker is gone: start all of them again, the run goes on"
            raise StoppedError(f"{message} ({reason(error)})", 1) from error


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
    addresses = [address for job in workers.cluster_spec().as_dict().values() for address in job]
    wait_for_all(addresses, workers.cluster_spec().task_address(workers.task_type, workers.task_id))
    try:
        with signals_kept():
            return tf.distribute.MultiWorkerMirroredStrategy(workers)
    except LOST as error:
        raise StoppedError(f"the workers {', '.join(addresses)} do not come together ({reason(error)})", 1) from error


def _split_cpu(devices: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    except RuntimeError:  # TensorFlow is running already: the devices are what they are
        return


def _workers(devices: int | None = None) -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """The processes that train together, as TF_CONFIG or Slurm's variables say; None where neither does."""
    if os.environ.get("TF_CONFIG"):
        _check_tf_config(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if os.environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return _slurm_workers(devices)
    return None


def _check_tf_config(text: str) -> None:
    """A UsageError where it is not {"cluster": {"worker": ["host:port", ...]}, "task": {"type": ..., "index": ...}}."""
    try:
        config = json.loads(text)
        kinds = {kind: _count(addresses) for kind, addresses in config["cluster"].items()}
        kind, number = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        form = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        raise UsageError(f"TF_CONFIG must be {form}") from error
    if not kinds or not kinds.keys() <= {"chief", "worker"} or kinds.get("chief", 1) != 1:
        raise UsageError(
            f"TF_CONFIG: the cluster has {', '.join(kinds) or 'nobody'}; it may have one chief, and workers"
        )
    if not 0 <= number < kinds.get(kind, 0):
        raise UsageError(f"TF_CONFIG: the cluster has no {kind} number {number}")


def _count(addresses: list[str]) -> int:
    """A TypeError for what is no list of texts, a ValueError for a text that is no "host:port"."""
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise TypeError(addresses)
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host.encode("idna") or not 0 < int(port) <= MOST_PORT:
            raise ValueError(address)
    return len(addresses)


def _slurm_workers(devices: int | None) -> tf.distribute.cluster_resolver.ClusterResolver:
    """Slurm's tasks in its block distribution, each with the GPUs that Slurm shows it (`--gpus-per-task`).

    Not by TensorFlow's own resolver, which sorts the hosts (node10 before node9) and shares out their GPUs by itself.
    """
    try:
        hosts = expand_hostlist(os.environ["SLURM_STEP_NODELIST"])
        tasks = expand_tasks_per_node(os.environ["SLURM_STEP_TASKS_PER_NODE"])
        number, port = int(os.environ["SLURM_PROCID"]), PORTS[int(os.environ.get("SLURM_JOB_ID", 0)) % len(PORTS)]
        addresses = [
            f"{host}:{port + task}" for host, on_host in zip(hosts, tasks, strict=True) for task in range(on_host)
        ]
    except (KeyError, ValueError) as error:
        raise UsageError(f"Slurm's variables do not describe its tasks: {error}") from error
    gpus = {"GPU": devices or len(tf.config.list_physical_devices("GPU"))}
    spec = tf.train.ClusterSpec({"worker": addresses})
    return tf.distribute.cluster_resolver.SimpleClusterResolver(spec, "", "worker", number, num_accelerators=gpus)
