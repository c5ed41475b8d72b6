"""What there is to see and to count of a run's codes."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...datasets.source import Source
from ...latents.projection import principal_components, t_sne
from ...latents.traversal import active_dimensions, dimension_histograms, measure_kl, most_first, traversals
from ...pictures import charts
from ..errors import UsageError
from ..runs.run import Run
from ..tables import align_columns, table
from ..terminal import announce
from .encoding import Columns, decode_codes
from .survey import Survey

MOST_POINTS = 2000  # of the projections
SHOWN = 16  # dimensions
STEPS, LIMIT = 7, 3.0  # of a traversal
MOST_VECTOR = 50  # numbers of a code that stands for a spatial one in the projector


def analyse_codes(
    folder: Path, model, source: Source, faces: Survey, run_name: str, attribute: str | None, num_groups: int
) -> dict[str, Any]:
    """Draws what there is to draw of the codes; returns the numbers.

    Args:
      folder: for the pictures.
      model: an `Autoencoder`.
      source: what was encoded.
      faces: its codes.
      run_name: of the model, for descriptions.
      attribute: that colours the projections; None chooses one.
      num_groups: of the FactorVAE score; 0 measures no disentanglement.
    """
    from .disentanglement import measure_disentanglement

    found: dict[str, Any] = {}
    is_vector = faces.codes.ndim == 2
    description = f"{source.name}, {len(faces.codes)} faces, by {run_name}"
    if is_vector:
        dimensions = order_dimensions(faces)
        found |= dimensions.summary()
        decode = functools.partial(decode_codes, model, told=faces.told)
        _draw_traversals(folder, dimensions, faces.codes[0], decode, f"{source.name.rpartition('/')[2]}:0", description)
        _draw_histograms(folder, dimensions, faces, description)
    announce("Projecting codes onto a plane ...")
    found["projection"] = _draw_projection(folder, source, faces, attribute, description)
    _save_projector(folder, source, faces, description)
    if is_vector and source.factor_names and num_groups:
        measured = measure_disentanglement(model, source, faces.codes, faces.known["factors"], num_groups)
        guess = 1.0 / len(measured.factors)  # whose groups are equally many
        found |= {"disentanglement": measured.values | {"factor_vae_guess": guess}, "factors": measured.factors}
        found["constant_factors"] = list(measured.constant)
    return found


def check_codes(codes: np.ndarray, opened: Run) -> None:
    if not np.isfinite(codes).all():
        raise UsageError(f"{opened.model_path}: its codes are not finite numbers")
    if not np.ptp(codes, axis=0).any():
        raise UsageError(f"{opened.model_path}: all faces have the same code, there is nothing to analyse")


class Dimensions(NamedTuple):
    """What each of the D dimensions of a vector code carries.

    Attributes:
      means: over the data, [D].
      variances: of the codes (of a variational model, of their means) over the data, [D].
      kl: a mean over the data in nats, [D]; None of a model that is not variational.
      active: whether the variance is above 0.01, bool [D].
    """

    means: np.ndarray
    variances: np.ndarray
    kl: np.ndarray | None
    active: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """Dimensions by KL, or by variance where there is none, the largest first."""
        return most_first(self.variances if self.kl is None else self.kl)

    def label(self, dimension: int) -> str:
        """A dimension and what it is ordered by."""
        if self.kl is None:
            return f"z{dimension}: variance {self.variances[dimension]:.2g}"
        return f"z{dimension}: KL {self.kl[dimension]:.2f}"

    def summary(self) -> dict[str, Any]:
        """For `analysis.json`: what all carry together, and each by itself in the order of `order`."""
        columns = {"mean": self.means, "variance": self.variances, "active": self.active}
        if self.kl is not None:
            columns = {"kl": self.kl, **columns}
        rows = [
            {"dimension": place, **{name: column[place].item() for name, column in columns.items()}}
            for place in self.order.tolist()
        ]
        total = {} if self.kl is None else {"kl": float(self.kl.sum())}
        return {**total, "active_units": int(self.active.sum()), "dimensions": rows}


def order_dimensions(faces: Survey) -> Dimensions:
    """Returns the dimensions of vector codes, those that carry most first."""
    codes = faces.codes.astype(np.float64)
    kl = None if faces.log_var is None else measure_kl(faces.codes, faces.log_var)
    return Dimensions(codes.mean(axis=0), codes.var(axis=0), kl, active_dimensions(codes))


def _draw_traversals(
    folder: Path, dimensions: Dimensions, base: np.ndarray, decode, face: str, description: str
) -> None:
    """traversals.png: around the face with the code `base`."""
    chosen = dimensions.order[:SHOWN]
    own = {} if dimensions.kl is not None else {"means": dimensions.means, "deviations": np.sqrt(dimensions.variances)}
    codes = traversals(base, chosen, STEPS, LIMIT, **own)
    frames = np.stack([decode(row) for row in codes])
    of = "the data" if own else "the prior"
    charts.save_traversals(
        folder / "traversals.png",
        frames,
        [dimensions.label(dimension).replace(": ", "\n") for dimension in chosen.tolist()],
        np.linspace(-LIMIT, LIMIT, STEPS),
        f"standard deviations of {of} from its mean",
        f"{face} with one dimension changed, {len(chosen)} of {len(base)} shown",
        f"traversals of {face}; {description}",
    )


def _draw_histograms(folder: Path, dimensions: Dimensions, faces: Survey, description: str) -> None:
    """histograms.png: drawn codes, or where there is no prior codes in their own standard deviations."""
    chosen, codes = dimensions.order[:SHOWN], faces.draw()
    kind, axis = "Codes drawn", "value"
    if dimensions.kl is None:
        codes = (codes - dimensions.means) / np.sqrt(np.maximum(dimensions.variances, 1e-12))
        kind, axis = "Codes", "standard deviations from the mean"
    charts.save_histograms(
        folder / "histograms.png",
        dimension_histograms(codes[:, chosen]),
        [dimensions.label(dimension) for dimension in chosen.tolist()],
        axis,
        f"{kind} for {len(codes)} faces against N(0, 1): {len(chosen)} of {len(dimensions.means)} dimensions, "
        f"{dimensions.active.sum()} active",
        f"histograms of codes; {description}",
    )


def _draw_projection(
    folder: Path, source: Source, faces: Survey, asked: str | None, description: str
) -> dict[str, Any]:
    """projection.png; returns what `analysis.json` says of it."""
    codes = faces.codes[:MOST_POINTS]
    attribute = asked or _find_even_attribute(source, faces.known)
    colours = None
    if attribute is not None:
        colours = attribute, faces.known["attributes"][: len(codes), source.attribute_names.index(attribute)] > 0.5
    found: dict[str, Any] = {"points": len(codes), "attribute": attribute}
    if codes[0].size <= 2:
        planes = [("Codes", ["z0", "z1"], np.pad(codes.reshape(len(codes), -1), ((0, 0), (0, 2 - codes[0].size))))]
    else:
        components = principal_components(codes)
        found["explained_variance"] = components.shares.tolist()
        axes = [
            f"principal component {place + 1} ({share:.1%} of variance)"
            for place, share in enumerate(components.shares)
        ]
        planes = [("PCA", axes, components.points), ("t-SNE", ["t-SNE 1", "t-SNE 2"], t_sne(codes))]
    title = f"Codes of {len(codes)} faces"
    charts.save_projection(folder / "projection.png", planes, colours, title, f"projections of codes; {description}")
    return found


def _find_even_attribute(source: Source, known: Columns) -> str | None:
    """The first attribute whose share is nearest to one half."""
    if not source.attribute_names:
        return None
    shares = known["attributes"].mean(axis=0)
    return source.attribute_names[int(np.abs(shares - 0.5).argmin())]


def _save_projector(folder: Path, source: Source, faces: Survey, description: str) -> None:
    from ...pictures.projector import save_projector

    vectors = faces.codes[:MOST_POINTS]
    if vectors.ndim > 2:
        vectors = principal_components(vectors, MOST_VECTOR).points
    labels: dict[str, Any] = {"name": source.names[: len(vectors)]}
    if source.attribute_names:
        known = faces.known["attributes"][: len(vectors)].T.astype(int).tolist()
        labels |= dict(zip(source.attribute_names, known, strict=True))
    save_projector(
        folder / "projector", vectors, labels, faces.images, f"faces for TensorBoard's projector; {description}"
    )


def report(found: dict[str, Any]) -> str:
    """What was found as a table of two columns, then the first dimensions, a line for each."""
    flat = {name: value for name, value in found.items() if not isinstance(value, (dict, list))}
    flat["code_shape"] = describe_shape(found)
    if attribute := found["projection"]["attribute"]:
        flat["coloured_by"] = attribute
    text = table(flat | found.get("disentanglement", {}))
    rows = found.get("dimensions", [])
    if not rows:
        return text
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows[:SHOWN])]
    more = [f"and {len(rows) - SHOWN} more in analysis.json"] if len(rows) > SHOWN else []
    return "\n".join([text, "", align_columns(lines), *more])


def describe_shape(found: dict[str, Any]) -> str:
    """The shape of a code, as 16x16x64."""
    return "x".join(map(str, found["code_shape"]))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
