"""A machine in plain facts, which a test can make up as well."""

import dataclasses
from collections.abc import Mapping

Version = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Card:
    """A graphics card of NVIDIA's.

    Attributes:
      name: as its driver calls it.
      capability: CUDA's number of what it can compute, (8, 6).
      memory_gb: of its own.
    """

    name: str
    capability: Version
    memory_gb: float | None = None


@dataclasses.dataclass(frozen=True)
class Build:
    """How a TensorFlow was built.

    Attributes:
      version: of TensorFlow.
      cuda: what it was built with, (12, 5); None is a build without.
      kernels: the capabilities that it has kernels of: ("sm_80", "compute_90"), the latter to be compiled further.
    """

    version: str
    cuda: Version | None = None
    kernels: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Extra:
    """A part of facezoo that is installed only where it is asked for.

    Attributes:
      installed: its packages that are there, by version.
      missing: those that are not, or are of a version that facezoo does not take.
    """

    installed: Mapping[str, str]
    missing: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Machine:
    """What is asked of a machine, and no more: no names of people, hosts or pictures.

    Attributes:
      facezoo: its version, with the commit of a checkout.
      python: its version.
      system: kernel and processor's kind.
      processor: its name.
      processor_flags: what it can do, as Linux names it; none where that is not known.
      cores: that this process may use.
      memory_gb, free_gb: of the machine or the container; None where it is not known.
      disk_gb: free where the working folder is.
      packages: versions of those that figures depend on.
      tensorflow: None where it cannot be imported.
      import_error: why.
      driver: of the cards.
      cards: that the driver knows.
      num_seen: of them, by TensorFlow.
      hidden: what CUDA_VISIBLE_DEVICES says, if anything.
      ffmpeg: its version, or None where there is none.
      extras: by name.
      networks: files of weights of frozen networks, and whether each is there.
      caches: what is kept, where, and how many bytes it takes.
      variables: those of the environment that steer facezoo, TensorFlow and Keras.
    """

    facezoo: str
    python: str
    system: str
    processor: str = "unknown"
    processor_flags: frozenset[str] = frozenset()
    cores: int = 1
    memory_gb: float | None = None
    free_gb: float | None = None
    disk_gb: float | None = None
    packages: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tensorflow: Build | None = None
    import_error: str = ""
    driver: str | None = None
    cards: tuple[Card, ...] = ()
    num_seen: int = 0
    hidden: str | None = None
    ffmpeg: str | None = None
    extras: Mapping[str, Extra] = dataclasses.field(default_factory=dict)
    networks: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    caches: tuple[tuple[str, str, int], ...] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


def show_version(version: Version) -> str:
    """A version or a capability as it is written: 12.5."""
    return ".".join(map(str, version))
