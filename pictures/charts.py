"""Charts of a latent space as PNG files, drawn by matplotlib without its global state."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .files import save_png
from .sheets import grid

DOTS_PER_INCH = 100
LEAST_SIDE, MOST_SIDE = 96, 128  # of one picture on a sheet, in pixels
HEAT_COLUMNS = ((0.07, 0.57), (0.655, 0.02), (0.76, 0.22))  # left and width of the colours, their scale and the bars
LEFT, RIGHT, TOP, BOTTOM = 140, 20, 40, 55  # of the sheet's margins, in pixels


def save_traversals(
    path: Path, frames: np.ndarray, labels: Sequence[str], values: np.ndarray, axis: str, title: str, description: str
) -> None:
    """A sheet with a row for each dimension.

    Args:
      path: of the file.
      frames: [K, steps, S, S, C] in [0, 1].
      labels: of the K rows.
      values: of the dimension, [steps].
      axis: what they are.
      title: above the sheet.
      description: in the file.
    """
    rows, steps, size = frames.shape[:3]
    side = min(-(-LEAST_SIDE // size) * size, MOST_SIDE)
    width, height = LEFT + steps * side + RIGHT, TOP + rows * side + BOTTOM
    figure = _figure(width, height)
    figure.set_layout_engine(None)
    axes = figure.add_axes((LEFT / width, BOTTOM / height, steps * side / width, rows * side / height))
    sheet = grid(frames.reshape(rows * steps, *frames.shape[2:]), steps)
    axes.imshow(sheet.squeeze(), cmap="gray", vmin=0, vmax=255, extent=(0, steps, rows, 0), aspect="auto")
    axes.set_xticks(np.arange(steps) + 0.5, [f"{value:+.3g}" if value else "0" for value in values])
    axes.set_yticks(np.arange(rows) + 0.5, labels)
    axes.tick_params(length=0)
    axes.set_xlabel(axis)
    axes.set_title(title, loc="left", fontsize=10)
    _save(figure, path, description)


def save_histograms(
    path: Path, histograms: Any, labels: Sequence[str], axis: str, title: str, description: str
) -> None:
    """A panel for each dimension, with N(0, 1) behind it.

    Args:
      path: of the file.
      histograms: of K dimensions.
      labels: of the K panels.
      axis: what the values are.
      title: above the panels.
      description: in the file.
    """
    columns = min(4, len(labels))
    rows = -(-len(labels) // columns)
    figure = _figure(max(320 * columns, 760), 220 * rows + 120)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    width = np.diff(histograms.edges)
    for panel, shares, label in zip(panels.flat, histograms.shares, labels, strict=False):
        panel.stairs(histograms.normal / width, histograms.edges, fill=True, color="lightgray", label="N(0, 1)")
        panel.stairs(shares / width, histograms.edges, color="tab:blue", label="codes")
        panel.set_title(label, fontsize=10)
    for panel in panels.flat[len(labels) :]:
        panel.axis("off")
    for panel in panels.flat[len(labels) - columns : len(labels)]:  # the lowest that is there
        panel.tick_params(labelbottom=True)
    panels[0, 0].legend(loc="upper right", fontsize=8)
    figure.supxlabel(axis, fontsize=10)
    figure.supylabel("density", fontsize=10)
    figure.suptitle(title, fontsize=11)
    _save(figure, path, description)


def save_projection(
    path: Path,
    planes: Sequence[tuple[str, Sequence[str], np.ndarray]],
    colours: tuple[str, np.ndarray] | None,
    title: str,
    description: str,
) -> None:
    """Points on planes, side by side.

    Args:
      path: of the file.
      planes: of each its title, the names of its axes, and points [N, 2].
      colours: an attribute's name and whether each point has it, bool [N]; None leaves all alike.
      title: above the planes.
      description: in the file.
    """
    figure = _figure(max(600 * len(planes), 760), 680)
    name, has_it = colours or ("", np.ones(len(planes[0][2]), bool))
    for panel, (heading, axes, points) in zip(figure.subplots(1, len(planes), squeeze=False).flat, planes, strict=True):
        for chosen, colour, label in ((~has_it, "tab:blue", f"not {name}"), (has_it, "tab:orange", name)):
            panel.scatter(*points[chosen].T, s=8, alpha=0.6, linewidths=0, color=colour, label=_plain(label))
        panel.set_title(heading, fontsize=10)
        panel.set_xlabel(axes[0])
        panel.set_ylabel(axes[1])
    if colours:
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, markerscale=2)
    figure.suptitle(title, fontsize=11)
    _save(figure, path, description)


def save_curves(
    path: Path,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x_axis: str,
    y_axis: str,
    description: str,
) -> None:
    """Curves in one chart.

    Args:
      path: of the file.
      curves: by what each is called, where its points lie along both axes.
      x_axis: what the first axis is.
      y_axis: what the second is.
      description: in the file.
    """
    figure = _figure(900, 560)
    panel = figure.subplots()
    for name, (along, above) in curves.items():
        panel.plot(along, above, marker=".", label=_plain(name))
    panel.set_xlabel(x_axis)
    panel.set_ylabel(y_axis)
    panel.ticklabel_format(axis="y", useOffset=False)
    panel.grid(alpha=0.3)
    panel.legend()
    _save(figure, path, description)


def draw_heat(values: np.ndarray, places: np.ndarray, axes: tuple[str, str, str], last: str) -> np.ndarray:
    """Rows of numbers as columns of colours, from left to right, and the last row once more as bars beside them.

    A column reaches half-way to its neighbours, and as far to the side where there is none. Colours tell the root of a
    number, so that small ones can be told from 0.

    Args:
      values: [N, D], at least 0.
      places: of the N rows along the first axis, rising.
      axes: what the places are, what the D numbers of a row are of, and what they are.
      last: above the bars.

    Returns:
      uint8 [H, W, 3].
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import MaxNLocator

    figure = _figure(900, 560)
    figure.set_layout_engine(None)
    heat, scale, bars = (figure.add_axes((left, 0.1, width, 0.84)) for left, width in HEAT_COLUMNS)
    numbers = np.arange(values.shape[1] + 1) - 0.5
    colours = PowerNorm(0.5, 0.0, max(float(values.max()), 1e-9))
    image = heat.pcolormesh(_find_edges(places), numbers, values.T, norm=colours)
    figure.colorbar(image, cax=scale, label=axes[2])
    bars.stairs(values[-1], numbers, orientation="horizontal", fill=True)
    bars.set_title(last, fontsize=10)
    bars.set_xlabel(axes[2])
    bars.set_ylim(numbers[0], numbers[-1])
    bars.set_yticks([])
    heat.set_xlabel(axes[0])
    heat.set_ylabel(axes[1])
    for axis in (heat.xaxis, heat.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    return _draw(figure)


def _find_edges(places: np.ndarray) -> np.ndarray:
    """Half-way between places that rise, and as far beyond the first and the last: [N] -> [N + 1]."""
    if len(places) == 1:
        return places[0] + np.array([-0.5, 0.5])
    middles = (places[1:] + places[:-1]) / 2.0
    return np.concatenate([[2.0 * places[0] - middles[0]], middles, [2.0 * places[-1] - middles[-1]]])


def _figure(width: int, height: int):
    """An empty figure of so many pixels; Agg draws it, whatever matplotlib is set to."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = width / DOTS_PER_INCH, height / DOTS_PER_INCH
    return FigureCanvasAgg(Figure(size, DOTS_PER_INCH, layout="constrained")).figure


def _save(figure, path: Path, description: str) -> None:
    save_png(path, _draw(figure), description)


def _draw(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]


def _plain(text: str) -> str:
    """A name from outside, in which matplotlib is to see no formula."""
    return text.replace("$", r"\$")
