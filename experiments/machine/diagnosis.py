"""What will run on a machine, as lines with the way out, from a plain description of it."""

from collections.abc import Iterator
from typing import NamedTuple

from .cards import choose_precision, explain_failures, has_kernels, is_compiled_first
from .description import Card, Machine, show_version

OK, NOTE, FAULT = "ok", "note", "fault"
# What each extra is for, as `setup.py` names them.
EXTRAS = {
    "align": "cuts faces out of photographs: facezoo align, and a weaker fit for morphs of photographs",
    "explore": "shows the page of sliders: facezoo explore",
    "export": "writes models for other runtimes: facezoo export",
    "heif": "reads the HEIC photographs of phones",
    "landmarks": "finds 478 landmarks in each photograph, for facezoo morph and swap",
    "hub": "reads and publishes weights on the Hugging Face hub, as hf://USER/NAME",
    "docs": "builds the site of documents: make docs",
    "gpu": "brings CUDA for NVIDIA's cards",
    "peers": "brings PyTorch and pythae, for facezoo benchmark alone",
    "notebooks": "opens the notebooks",
}
# The oldest driver of NVIDIA's that each CUDA works with (its release notes, "minor version compatibility").
DRIVERS = {12: "525.60.13", 13: "580.65.06"}
# What commands take at most, measured as the peak of the process on 2 CPU cores, in gigabytes with room to spare:
#   facezoo morph --start=test:53 --end=test:17                    0.2
#   facezoo morph --run_dir=cae --start=test:53 --end=test:17      0.8
#   facezoo train --recipe=photographs --dataset=procedural_faces  1.1
MEMORY_TO_USE, MEMORY_TO_TRAIN = 1.0, 2.0
DISK_TO_TRAIN = 1.0  # gigabytes
GIGA, MEGA = 1e9, 1e6
GPU_LINE = "GPU"
SHOWN = 3  # packages that an extra is without


class Finding(NamedTuple):
    """One line of what was found.

    Attributes:
      level: OK, NOTE for what is missing and may be, FAULT for what does not run.
      subject: what it is about.
      text: what there is; of a fault or a note, with the way out.
    """

    level: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:5}  {self.subject:15}  {self.text}"


def diagnose(machine: Machine) -> list[Finding]:
    """Says of each part of a machine whether facezoo runs on it, and what to do where it does not."""
    parts = (_software, _processor, _memory, _disk, _tensorflow, _gpus, _films, _extras, _networks, _caches, _variables)
    return [finding for part in parts for finding in part(machine)]


def summarise(findings: list[Finding]) -> str:
    """The last line: whether there is anything to do."""
    faults = [finding.subject for finding in findings if finding.level == FAULT]
    if faults:
        return f"{len(faults)} to mend: {', '.join(dict.fromkeys(faults))}"
    return "facezoo runs here"


def _software(machine: Machine) -> Iterator[Finding]:
    yield Finding(OK, "facezoo", f"{machine.facezoo}, Python {machine.python}, {machine.system}")


def _processor(machine: Machine) -> Iterator[Finding]:
    text = f"{machine.processor}, {machine.cores} core{'s' * (machine.cores != 1)}"
    flags = machine.processor_flags
    if flags and "x86_64" in machine.system and "avx" not in flags:
        yield Finding(FAULT, "processor", f"{text}: it has no AVX, without which TensorFlow as published ends at once")
    else:
        yield Finding(OK, "processor", text)


def _memory(machine: Machine) -> Iterator[Finding]:
    if machine.memory_gb is None:
        return
    free = machine.memory_gb if machine.free_gb is None else machine.free_gb
    text = f"{machine.memory_gb:.1f} GB, {free:.1f} GB of them free"
    if free < MEMORY_TO_USE:
        way = "close other programs; morphs by a warp alone (facezoo morph without --run_dir) take 0.2 GB"
        yield Finding(
            FAULT, "memory", f"{text}: models take {MEMORY_TO_USE:g} GB, trainings {MEMORY_TO_TRAIN:g}: {way}"
        )
    elif free < MEMORY_TO_TRAIN:
        way = "close other programs, or train with --cache_gb=0 --batch_size=8"
        yield Finding(NOTE, "memory", f"{text}: models run, trainings take {MEMORY_TO_TRAIN:g} GB and more: {way}")
    else:
        yield Finding(OK, "memory", text)


def _disk(machine: Machine) -> Iterator[Finding]:
    if machine.disk_gb is None:
        return
    text = f"{machine.disk_gb:.1f} GB free where this was started"
    if machine.disk_gb < DISK_TO_TRAIN:
        yield Finding(NOTE, "disk", f"{text}: name a --run_dir on another disk for trainings")
    else:
        yield Finding(OK, "disk", text)


def _tensorflow(machine: Machine) -> Iterator[Finding]:
    build = machine.tensorflow
    if build is None:
        way = "install it again: pip install --force-reinstall 'tensorflow>=2.21,<2.22'"
        yield Finding(
            FAULT, "TensorFlow", f"it cannot be imported ({machine.import_error or 'no reason given'}): {way}"
        )
        return
    cuda = (
        f"built with CUDA {show_version(build.cuda)} for {', '.join(build.kernels)}" if build.cuda else "no CUDA in it"
    )
    others = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    yield Finding(OK, "TensorFlow", f"{build.version}, {cuda}{'; ' if others else ''}{others}")
    usable = [card.capability for card in _cards_in_use(machine)]
    precision = choose_precision(usable, machine.processor_flags)
    yield Finding(OK, "precision", f"--precision=auto is {precision}")


def _cards_in_use(machine: Machine) -> tuple[Card, ...]:
    """Those that TensorFlow computes on."""
    return machine.cards if machine.num_seen else ()


def _gpus(machine: Machine) -> Iterator[Finding]:
    build, driver = machine.tensorflow, machine.driver
    oldest = DRIVERS.get(build.cuda[0]) if build and build.cuda else None
    is_old = bool(driver and oldest and _numbers(driver) < _numbers(oldest))
    if not machine.cards and not is_old:
        yield Finding(NOTE, GPU_LINE, "none of NVIDIA's: all of facezoo runs on the CPU, trainings more slowly")
        return
    if build is None:
        return
    if build.cuda is None:
        way = "use Linux or WSL, where pip installs one with CUDA"
        yield Finding(NOTE, GPU_LINE, f"{_name(machine.cards)}, but this TensorFlow is built without CUDA: {way}")
        return
    if is_old:
        text = f"{driver} is older than {oldest}, which CUDA {build.cuda[0]} needs: install a newer one of NVIDIA's"
        yield Finding(FAULT, "driver", f"{text}; until then all runs on the CPU")
        return
    if driver:
        yield Finding(OK, "driver", driver)
    is_hidden = machine.hidden is not None and not machine.num_seen
    for line in explain_failures(machine.cards, build):
        yield Finding(NOTE if is_hidden else FAULT, GPU_LINE, line)
    working = tuple(card for card in machine.cards if has_kernels(card.capability, build))
    if not working:
        return
    if is_hidden:
        yield Finding(NOTE, GPU_LINE, f"{_name(working)}, hidden by CUDA_VISIBLE_DEVICES={machine.hidden}: unset it")
    elif not machine.num_seen:
        text = f"{_name(working)}, but TensorFlow does not find CUDA's libraries"
        yield Finding(FAULT, GPU_LINE, f"{text}: pip install 'facezoo[gpu]'; until then all runs on the CPU")
    else:
        later = any(is_compiled_first(card.capability, build) for card in working)
        slow = "; kernels are compiled for it at the first start, which can take half an hour" if later else ""
        yield Finding(NOTE if later else OK, GPU_LINE, f"{_name(working)}{slow}")


def _name(cards: tuple[Card, ...]) -> str:
    """Cards with what they can compute and their memory."""
    shown = []
    for card in cards:
        memory = "" if card.memory_gb is None else f", {card.memory_gb:.0f} GB"
        shown.append(f"{card.name} (compute capability {show_version(card.capability)}{memory})")
    return ", ".join(shown)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _films(machine: Machine) -> Iterator[Finding]:
    if machine.ffmpeg is None:
        way = "pip install --force-reinstall imageio-ffmpeg, or name one in IMAGEIO_FFMPEG_EXE"
        yield Finding(FAULT, "ffmpeg", f"there is none, so morphs come without their film morph.mp4: {way}")
    else:
        yield Finding(OK, "ffmpeg", machine.ffmpeg)


def _extras(machine: Machine) -> Iterator[Finding]:
    for name, extra in machine.extras.items():
        subject = f"extra {name}"
        if name == "gpu" and extra.missing and not machine.cards:
            yield Finding(OK, subject, "not installed, nor needed without one of NVIDIA's cards")
        elif extra.missing:
            more = f" and {len(extra.missing) - SHOWN} more" if len(extra.missing) > SHOWN else ""
            text = f"without {', '.join(extra.missing[:SHOWN])}{more}: pip install 'facezoo[{name}]'"
            yield Finding(NOTE, subject, f"{text} {EXTRAS[name]}" if name in EXTRAS else text)
        else:
            yield Finding(
                OK, subject, ", ".join(f"{package} {version}" for package, version in extra.installed.items())
            )


def _networks(machine: Machine) -> Iterator[Finding]:
    if not machine.networks:
        return
    missing = [name for name, is_there in machine.networks.items() if not is_there]
    there = [name for name, is_there in machine.networks.items() if is_there]
    if missing:
        text = (
            f"without {', '.join(missing)}: LPIPS, KID, identity and projected discriminators need them; "
            "put them into a folder and name it in "
        )
        yield Finding(NOTE, "networks", f"{text}FACEZOO_WEIGHTS")
    else:
        yield Finding(OK, "networks", ", ".join(there))


def _caches(machine: Machine) -> Iterator[Finding]:
    for name, folder, size in machine.caches:
        shown = f"{size / GIGA:.1f} GB" if size >= GIGA else f"{size / MEGA:.1f} MB"
        yield Finding(OK, "cache", f"{folder}: {shown} of {name}")


def _variables(machine: Machine) -> Iterator[Finding]:
    if machine.variables:
        yield Finding(OK, "environment", ", ".join(f"{name}={value}" for name, value in machine.variables.items()))
