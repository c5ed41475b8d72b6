"""Whether measures can be taken here, before hours are spent on what they are to measure."""

from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor

from ..backend import load_tensorflow
from ..processes import spawn_context
from .measure_names import OF_SETS

OF_NETWORKS = ("lpips", "lpips_squeeze", "vgg19_distance", "identity", *OF_SETS)
SQUARE = (0.0, 0.0, 1.0)  # where faces lie is told by the pictures of a run, later


def check_networks(names: Sequence[str], image_sizes: Collection[int]) -> None:
    """Loads the networks of some measures in a process of its own, which leaves memory and GPUs as they were.

    Raises:
      UsageError: one cannot be had, or the pictures are too small for it.
    """
    needed = [name for name in names if name in OF_NETWORKS]
    if needed:
        with ProcessPoolExecutor(1, mp_context=spawn_context()) as pool:
            pool.submit(load_networks, needed, sorted(image_sizes)).result()


def load_networks(names: Sequence[str], image_sizes: Sequence[int]) -> None:
    """As `check_networks`, here."""
    load_tensorflow()
    from .judging import Setting, make_streams

    for image_size in image_sizes:
        make_streams(names, Setting(image_size, 3, square=SQUARE), is_asked=True)
