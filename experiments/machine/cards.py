"""Which graphics cards a TensorFlow has kernels for, and which precision is fast where."""

import re
from collections.abc import Collection, Sequence

from .description import Build, Card, Version, show_version

FAST_HALVES = {  # Linux' names of what x86 CPUs compute halves with
    "mixed_bfloat16": ("avx512_bf16", "amx_bf16"),
    "mixed_float16": ("avx512_fp16", "amx_fp16"),
}
# The first CUDA that can compile for cards from a capability on: of an older one the driver gets code that it refuses,
# "PTX version 8.5 does not support target 'sm_120'" (tensorflow#111958).
CUDA_OF_CARDS = (((10, 0), (12, 8)),)
ISSUE = "github.com/tensorflow/tensorflow/issues/89272"
ON_CPU = "CUDA_VISIBLE_DEVICES=-1 computes on the CPU"


def explain_failures(cards: Sequence[Card], build: Build) -> list[str]:
    """A line for each kind of card that cannot compute with a TensorFlow: why, and the way out."""
    bad = list(dict.fromkeys(card for card in cards if not has_kernels(card.capability, build)))
    some_work = any(has_kernels(card.capability, build) for card in cards)
    way = "CUDA_VISIBLE_DEVICES with the numbers of the other cards leaves it out" if some_work else ON_CPU
    return [_explain(card, build, way) for card in bad]


def _explain(card: Card, build: Build, way: str) -> str:
    needed = _needed_cuda(card.capability)
    known = sorted({_capability(kernel) for kernel in build.kernels})
    begin = f"{card.name} (compute capability {show_version(card.capability)}) fails with TensorFlow {build.version}"
    if known and card.capability < known[0]:
        return f"{begin}, whose kernels begin at {show_version(known[0])}: {way}"
    has = f"{show_version(build.cuda or ())} and capabilities up to {show_version(known[-1])}" if known else "no CUDA"
    source = f"CUDA {show_version(needed)}" if needed else "CUDA"
    return (
        f"{begin} as published, which is built for {has} ({ISSUE}): {way}; the card itself takes a TensorFlow built "
        f"from source with {source} for {show_version(card.capability)}"
    )


def has_kernels(capability: Version, build: Build) -> bool:
    """Whether a build computes on a card: by kernels of its family, or by some that the driver can compile for it."""
    ready = any(
        kernel.startswith("sm_") and known[0] == capability[0] and known <= capability
        for kernel in build.kernels
        for known in [_capability(kernel)]
    )
    return ready or is_compiled_first(capability, build)


def is_compiled_first(capability: Version, build: Build) -> bool:
    """Whether a card has no kernels of its own, and those of an older one can be compiled for it."""
    exact = {_capability(kernel) for kernel in build.kernels if kernel.startswith("sm_")}
    if any(known[0] == capability[0] and known <= capability for known in exact):
        return False
    older = any(kernel.startswith("compute_") and _capability(kernel) <= capability for kernel in build.kernels)
    return older and (build.cuda or ()) >= (_needed_cuda(capability) or ())


def is_emulated(precision: str, processor_flags: Collection[str]) -> bool:
    """Whether a CPU has no instructions of its own for a precision, and computes it by way of float32."""
    return precision in FAST_HALVES and not any(flag in FAST_HALVES[precision] for flag in processor_flags)


def _needed_cuda(capability: Version) -> Version | None:
    return next((cuda for first, cuda in CUDA_OF_CARDS if capability >= first), None)


def _capability(kernel: str) -> Version:
    """(12, 0) of sm_120, (9, 0) of compute_90."""
    number = re.sub(r"\D", "", kernel)
    return int(number[:-1] or 0), int(number[-1:] or 0)


def choose_precision(capabilities: Collection[Version], processor_flags: Collection[str]) -> str:
    """What `--precision=auto` is: the fastest that all of the GPUs compute in themselves, or the CPU without any."""
    if not capabilities:
        return "float32" if is_emulated("mixed_bfloat16", processor_flags) else "mixed_bfloat16"
    oldest = min(capabilities)
    if oldest >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if oldest >= (7, 0) else "float32"
