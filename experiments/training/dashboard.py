"""What TensorBoard opens with: the names of curves, charts in order, and a run's line in the table of HParams."""

import re
from collections.abc import Iterable, Mapping

from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalars
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as hparams_summary

from .perception import MEASURES as PERCEPTION

# TensorBoard sorts curves by the letters of their names.
LOSSES, QUALITY, UPDATES, SPEED = "1 losses", "2 quality", "3 updates", "4 speed"
GROUPS = {
    QUALITY: ("psnr", "ssim", *PERCEPTION, "vgg19_distance", "active_units"),
    UPDATES: ("gradient_norm", "learning_rate", "skipped_steps"),
    SPEED: ("images_per_second",),
}


def name_curve(name: str) -> str:
    """What a term or a measure is called in TensorBoard, with its group before it."""
    group = next((group for group, names in GROUPS.items() if name in names), LOSSES)
    return f"{group}/{name}"


def lay_out(names: Iterable[str]) -> bytes:
    """The page of custom scalars: a chart for each name, with training and validation in it, the losses first.

    Args:
      names: of terms and measures; the losses are shown in this order.

    Returns:
      a summary, as `tf.summary.experimental.write_raw_pb` takes it.
    """
    by_group: dict[str, list[str]] = {group: [] for group in (LOSSES, *GROUPS)}
    for name in dict.fromkeys(names):
        by_group[name_curve(name).partition("/")[0]].append(name)
    for group, known in GROUPS.items():
        by_group[group].sort(key=known.index)
    categories = [
        layout_pb2.Category(title=group.partition(" ")[2], chart=[_chart(name) for name in found])
        for group, found in by_group.items()
        if found
    ]
    return custom_scalars.pb(layout_pb2.Layout(category=categories)).SerializeToString()


def _chart(name: str) -> layout_pb2.Chart:
    curve = f"^{re.escape(name_curve(name))}$"
    return layout_pb2.Chart(title=name, multiline=layout_pb2.MultilineChartContent(tag=[curve]))


def begin_session(settings: Mapping[str, object], run: str) -> bytes:
    """A run's settings for HParams, whose metrics are then the last values of all curves beside them.

    No experiment is declared: TensorBoard would show the columns of one that it finds first, and finds all by itself.
    """
    plain = {name: _plain(value) for name, value in settings.items()}
    return hparams.hparams_pb(plain, trial_id=run).SerializeToString()


def end_session() -> bytes:
    """Says that a run has come to its end."""
    return hparams_summary.session_end_pb(api_pb2.STATUS_SUCCESS).SerializeToString()


def _plain(value: object) -> bool | float | str:
    """HParams takes numbers, strings and booleans."""
    return value if isinstance(value, (bool, int, float, str)) else str(value)
