"""Looks at the machine that this runs on. Nothing is changed, and nothing that does not answer is waited for."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from ... import __version__, files
from ..backend import load_tensorflow
from .description import Build, Card, Extra, Machine, Version

CPU_INFO, MEMORY_INFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")
CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
CONTAINER_USES = (Path("/sys/fs/cgroup/memory.current"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"))
DRIVER_INFO = Path("/proc/driver/nvidia/version")
SECONDS = 10  # that another program may take to answer
PACKAGES = ("keras", "numpy", "tensorflow-datasets", "pillow")
VARIABLES = re.compile(
    r"(FACEZOO|KERAS|CUDA|XLA|OMP|HF)_[A-Z_]+|TF_(CONFIG|CPP|CUDNN|DETERMINISTIC|ENABLE|FORCE|GPU|NUM|USE|XLA)[A-Z_]*"
)
UNTOLD = re.compile(r"TOKEN|KEY|SECRET|PASS|TF_CONFIG")  # what is secret, or names hosts
COMPUTING = re.compile(r"(KERAS|CUDA|XLA|OMP|TF)_.*")  # whose plain values say how something is computed
PLAIN = re.compile(r"[A-Za-z0-9_.,=+ -]{0,40}")
DISTRIBUTION = __name__.partition(".")[0]
DEVELOPMENT = "dev"  # an extra for those who change facezoo
GIGA = 1e9


def look_at_machine() -> Machine:
    """All but what TensorFlow has to be imported for."""
    total, free = _read_memory()
    driver, cards = _ask_driver()
    return Machine(
        facezoo=f"{__version__}{_show_revision()}",
        python=platform.python_version(),
        system=platform.platform(terse=True)
        + ("" if "64" in platform.platform(terse=True) else f" {platform.machine()}"),
        processor=_name_processor(),
        processor_flags=read_processor_flags(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=total,
        free_gb=free,
        disk_gb=shutil.disk_usage(Path.cwd()).free / GIGA,
        packages={name: version for name in PACKAGES if (version := _find_version(name))},
        driver=driver,
        cards=cards,
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
        ffmpeg=_find_ffmpeg(),
        extras=find_extras(),
        caches=tuple(
            (name, _hide_place(path), _measure(path)) for name, path in _cache_folders().items() if path.is_dir()
        ),
        variables=_read_variables(),
    )


def look_at_tensorflow() -> tuple[Build, int]:
    """How TensorFlow is built, and how many GPUs it finds."""
    tf = load_tensorflow()
    return describe_build(tf), len(tf.config.list_physical_devices("GPU"))


def look_at_networks() -> dict[str, bool]:
    """Which weights of frozen networks are there, without any download."""
    from ...losses.weights import PLACE, SHA256

    place = os.environ.get(PLACE, "")
    folders = [Path(place)] if place and "://" not in place else []
    folders.append(files.cache_folder() / "weights")
    return {name: any((folder / name).is_file() for folder in folders) for name in SHA256}


def describe_build(tf: Any) -> Build:
    """How a TensorFlow says that it was built.

    Args:
      tf: the module.
    """
    about = tf.sysconfig.get_build_info()
    cuda = _numbers(str(about.get("cuda_version", ""))) if about.get("is_cuda_build") else ()
    return Build(tf.__version__, cuda[:2] or None, tuple(about.get("cuda_compute_capabilities", ())))


def find_cards(tf: Any) -> list[Card]:
    """The GPUs that TensorFlow finds, with what it says of them."""
    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return [
        Card(about.get("device_name", "the GPU"), about["compute_capability"])
        for about in details
        if "compute_capability" in about
    ]


def read_processor_flags() -> frozenset[str]:
    """What the CPU can do, as Linux names it; nothing elsewhere."""
    try:
        text = CPU_INFO.read_text()
    except OSError:
        return frozenset()
    return frozenset(word for line in text.splitlines() if line.startswith("flags") for word in line.split()[2:])


def find_extras() -> dict[str, Extra]:
    """The extras that this facezoo was installed with or could be; none where it runs without being installed."""
    try:
        about = importlib.metadata.metadata(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return {}
    names = [name for name in about.get_all("Provides-Extra") or [] if name != DEVELOPMENT]
    return {name: _find_extra(DISTRIBUTION, name) for name in names}


def _find_extra(distribution: str, extra: str) -> Extra:
    installed: dict[str, str] = {}
    missing: list[str] = []
    for line in importlib.metadata.requires(distribution) or []:
        wanted = Requirement(line)
        if (
            wanted.marker is None
            or not wanted.marker.evaluate({"extra": extra})
            or wanted.marker.evaluate({"extra": ""})
        ):
            continue
        version = _find_version(wanted.name)
        if version is None:
            missing.append(wanted.name)
        elif not wanted.specifier.contains(version, prereleases=True):
            missing.append(f"{wanted.name}{wanted.specifier} (there is {version})")
        else:
            installed[wanted.name] = version
            for inner in sorted(wanted.extras):
                found = _find_extra(wanted.name, inner)
                installed |= found.installed
                missing += found.missing
    return Extra(installed, tuple(missing))


def _find_version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _find_ffmpeg() -> str | None:
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return None
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_version())
    except (RuntimeError, OSError, subprocess.SubprocessError):
        return None


def _ask_driver() -> tuple[str | None, tuple[Card, ...]]:
    """NVIDIA's driver, and the cards that it knows."""
    answer = _ask(
        "nvidia-smi", "--query-gpu=driver_version,compute_cap,memory.total,name", "--format=csv,noheader,nounits"
    )
    rows = [[part.strip() for part in line.split(",", 3)] for line in answer.splitlines()]
    rows = [row for row in rows if len(row) == 4 and _numbers(row[1])]
    if rows:
        cards = (Card(name, _numbers(capability), _read_megabytes(memory)) for _, capability, memory, name in rows)
        return rows[0][0], tuple(cards)
    try:
        found = re.search(r"\b\d+\.\d+(\.\d+)?\b", DRIVER_INFO.read_text())
    except OSError:
        return None, ()
    return found and found[0], ()


def _read_megabytes(text: str) -> float | None:
    return int(text) * 2**20 / GIGA if text.isdecimal() else None


def _ask(*command: str) -> str:
    """What a program prints; nothing where it is not there, fails or takes long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _read_memory() -> tuple[float | None, float | None]:
    """Gigabytes of the machine, or of the container where that has less; and of these the free ones."""
    try:
        lines = MEMORY_INFO.read_text().splitlines()
        kilobytes = {line.partition(":")[0]: int(line.split()[1]) for line in lines if len(line.split()) > 1}
        total, free = kilobytes["MemTotal"] * 1024, kilobytes["MemAvailable"] * 1024
    except (OSError, ValueError, KeyError):
        names = getattr(os, "sysconf_names", {})
        if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(names):
            return None, None
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIGA, None
    limit, used = _read_number(CONTAINER_LIMITS), _read_number(CONTAINER_USES)
    if limit is not None and limit < total:
        total, free = limit, min(free, limit - (used or 0))
    return total / GIGA, free / GIGA


def _read_number(paths: tuple[Path, ...]) -> int | None:
    for path in paths:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() else None
    return None


def _name_processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(), flags=re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine() or "unknown"


def _cache_folders() -> dict[str, Path]:
    home = Path.home()
    datasets = os.environ.get("TFDS_DATA_DIR")
    return {
        "facezoo": files.cache_folder(),
        "Keras": Path(os.environ.get("KERAS_HOME") or home / ".keras"),
        "TensorFlow Datasets": Path(datasets) if datasets else home / "tensorflow_datasets",
    }


def _measure(folder: Path) -> int:
    """Bytes of the files below a folder."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            size += path.lstat().st_size if os.path.lexists(path) else 0
    return size


def _read_variables() -> dict[str, str]:
    """Those that steer what is computed. Addresses, paths and what is secret are nobody's business: only their kind."""
    steering = {name: value for name, value in sorted(os.environ.items()) if VARIABLES.fullmatch(name)}
    return {name: _describe_variable(name, value) for name, value in steering.items()}


def _describe_variable(name: str, value: str) -> str:
    if UNTOLD.search(name):
        return "(set)"
    if value.startswith(("/", "~", ".")):
        path = Path(os.path.expanduser(value))  # noqa: PTH111 (Path's may raise)
        kind = "a folder" if path.is_dir() else "a file" if path.is_file() else "not there"
        return f"(set: {kind})"
    return value if COMPUTING.fullmatch(name) and PLAIN.fullmatch(value) else "(set)"


def _hide_place(path: Path) -> str:
    """Where a folder is, without the name of its user; of one outside of the home folder only that it is."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else "elsewhere"


def _show_revision() -> str:
    revision = find_revision()
    return f" ({revision})" if revision else ""


def find_revision() -> str | None:
    """Returns the commit of the checkout that facezoo runs from, or None where it is installed without one."""
    root = Path(files.__file__).parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _numbers(version: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", version))
