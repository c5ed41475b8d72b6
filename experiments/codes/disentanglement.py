"""What the codes of a source say of its true factors."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...datasets.procedural import ATTRIBUTE_NAMES, draw_faces, face_attributes, gray
from ...datasets.progress import progress_bar
from ...datasets.source import Source
from ...metrics import disentanglement as measures
from .encoding import choose_conditions, encode_batch, floats, list_attributes

GROUP_SIZE = 100  # L in Kim and Mnih (2018), section 4


class Disentanglement(NamedTuple):
    """How the codes hold the true factors.

    Attributes:
      values: `mig`, `sap`, DCI's three and `factor_vae_score`.
      factors: of each factor that varies, the dimension that tells most of it, the normalised mutual information, and
        how much more that is than the next dimension's.
      constant: names of the factors that do not vary, which nothing can be said of.
    """

    values: dict[str, float]
    factors: dict[str, dict[str, Any]]
    constant: tuple[str, ...]


def measure_disentanglement(
    model, source: Source, codes: np.ndarray, factors: np.ndarray, groups: int
) -> Disentanglement:
    """All measures of `metrics.disentanglement`, the FactorVAE score on groups that are drawn for it.

    Args:
      model: an `Autoencoder`.
      source: of drawn faces.
      codes: of its first examples, [N, D].
      factors: of the same, [N, F].
      groups: how many the FactorVAE score takes.
    """
    varies = np.ptp(factors, axis=0) > 0
    table, choices = factors[:, varies], [source.factor_ranges[number][2] for number in np.flatnonzero(varies)]
    names = np.array(source.factor_names)
    information = measures.mutual_information(codes, table, choices)
    gaps = measures.gaps(information)
    values = {"mig": float(gaps.mean())}
    with progress_bar("SAP", total=2) as progress:
        values["sap"] = measures.sap(codes, table, choices)
        progress.set_description("DCI")
        progress.update()
        values |= {f"dci_{name}": value for name, value in measures.dci(codes, table, choices).items()}
    drawn = _encode_groups(model, source, factors, np.flatnonzero(varies), groups)
    values["factor_vae_score"] = measures.factor_vae_score(codes, drawn)
    found = {
        str(name): {"dimension": int(column.argmax()), "mutual_information": float(column.max()), "gap": float(gap)}
        for name, column, gap in zip(names[varies], information.T, gaps, strict=True)
    }
    return Disentanglement(values, found, tuple(names[~varies].tolist()))


def factor_groups(
    factors: np.ndarray, numbers: Sequence[int] | np.ndarray, count: int, seed: int = 0
) -> Iterator[tuple[int, np.ndarray]]:
    """Rows to draw faces from that are the same in one factor, and else as different as rows of the table.

    Args:
      factors: [N, F].
      numbers: of the factors that are held in turn, equally often, in random order.
      count: of groups.
      seed: of the draws.

    Yields:
      Number of the factor and factors [GROUP_SIZE, F].
    """
    rng = np.random.default_rng(seed)
    rounds = -(-count // len(numbers))
    for number in np.concatenate([rng.permutation(numbers) for _ in range(rounds)])[:count].tolist():
        group = factors[rng.choice(len(factors), GROUP_SIZE)]
        group[:, number] = group[0, number]
        yield number, group


def _encode_groups(
    model, source: Source, factors: np.ndarray, numbers: np.ndarray, count: int
) -> Iterator[tuple[int, np.ndarray]]:
    for number, group in progress_bar("drawing groups", factor_groups(factors, numbers, count), count):
        yield number, _encode_drawn(model, source, group)


def _encode_drawn(model, source: Source, factors: np.ndarray) -> np.ndarray:
    """Codes of faces that are drawn from factors [n, F] in the shape of a source: [n, D]."""
    image_size, _, channels = source.image_shape
    faces = draw_faces(factors, image_size)
    columns = [ATTRIBUTE_NAMES.index(name) for name in list_attributes(model)]
    told = choose_conditions(model, {"attributes": face_attributes(factors)[:, columns]})
    return encode_batch(model, floats(faces if channels == 3 else gray(faces)), told)
