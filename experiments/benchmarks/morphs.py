"""How good morphs are: the pictures half-way between pairs of faces, by several methods, against real faces."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ... import files, pictures
from ...datasets.alignment import NoFaceError
from ...datasets.progress import progress_bar
from ...datasets.source import Source
from ...warping.morph import WarpMorph, warp_to
from ...warping.shapes import SCHEMES, Scheme, choose_points
from ..codes.encoding import BATCH_SIZE, floats
from ..codes.morphing import morph_through, warp_and_code_through
from ..codes.priors import find_shipped_prior, load_prior
from ..errors import UsageError
from ..faces.framing import Stop, keep_quiet, largest_face
from ..faces.landmarks.readers import READERS, list_readers
from ..faces.places import find_known_points
from ..flags import groups
from ..flags.kinds import Settings, number, path
from ..flags.sources import open_source
from ..tables import align_columns

HALF = 0.5
MOST_OTHERS = 800  # real faces that midpoints are held against
SHOWN, SHOWN_SIDE, SHOWN_COLUMNS, SHOWN_FONT = 24, 128, 4, 14


@dataclasses.dataclass(frozen=True)
class MorphBenchmarkSettings(Settings):
    """The faces between which morphs are measured."""

    run_dir: str | None = path(None, "Run whose model morphs too, with --measure=morph.")
    prior: str | None = path(
        None, "Its code prior, by which codes are led too, with --measure=morph; if absent the one that ships, if any."
    )
    pairs: int = number(120, "Pairs of faces, with --measure=morph.", 2)
    sheet: str | None = path(None, "New PNG file for some midpoints, with --measure=morph.")


class Pairs(NamedTuple):
    """Pairs of faces, and others to hold them against.

    Attributes:
      start: float32 [N, S, S, C] in [0, 1].
      end: the same.
      start_points: landmarks as they were read, [N, L, 2], (x, y) in sides.
      end_points: the same.
      scheme: of the landmarks.
      others: other faces, float32 [M, S, S, C].
    """

    start: np.ndarray
    end: np.ndarray
    start_points: np.ndarray
    end_points: np.ndarray
    scheme: Scheme
    others: np.ndarray

    def warped(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Scheme]]:
        """What a warp of each pair is made of: both faces, the points of both that are followed, and their scheme."""
        for start, end, *points in zip(*self[:4], strict=True):
            (start_points, end_points), scheme = choose_points(points, self.scheme)
            yield start, end, start_points, end_points, scheme


class Quality(NamedTuple):
    """What is measured of midpoints.

    Attributes:
      method: that made them.
      kernel_distance: between them and other real faces, by pooled features of VGG16 divided by the real ones'
        deviations; 0 for real faces.
      sharpness: their mean variance of the Laplacian by that of the real faces.
      way: how far they lie from both ends together, by how far the ends lie apart: LPIPS of AlexNet.
      balance: how much nearer to the start than to the end, in the same measure: 0 in the middle.
    """

    method: str
    kernel_distance: float
    sharpness: float
    way: float | None = None
    balance: float | None = None


def measure_morphs(
    settings: MorphBenchmarkSettings, data: groups.DataSettings, landmarks: groups.LandmarkSettings, image_size: int
) -> list[Quality]:
    """The midpoints of pairs of test faces by each method: one `Quality` each, that of real faces first.

    Raises:
      UsageError: too few faces, or no landmarks in them.
      WeightsError: the networks that measure cannot be had.
    """
    if settings.sheet and Path(settings.sheet).exists():
        raise UsageError(f"--sheet={settings.sheet} exists: choose another file")
    if settings.prior and not settings.run_dir:
        raise UsageError("--prior does nothing without --run_dir, whose codes it knows")
    model = _model(settings.run_dir)
    prior = load_prior(model, settings.prior, "--prior") if settings.prior else model and find_shipped_prior(model)
    source = open_source(data, "test", model.image_size if model else image_size, model.channels if model else 3)
    pairs = find_pairs(source, settings.pairs, landmarks)
    judge = Judge(pairs)
    found = [judge.real()]
    for method, make in _methods(model, prior).items():
        midpoints = np.clip(make(pairs), 0.0, 1.0).astype(np.float32)
        found.append(judge(method, midpoints))
        if settings.sheet and method == "warp":
            _save_sheet(Path(settings.sheet), pairs, midpoints)
    return found


def _model(run_dir: str | None) -> Any:
    from ..runs.run import open_run

    return open_run(run_dir).model() if run_dir else None


# Pairs.


def find_pairs(source: Source, count: int, landmarks: groups.LandmarkSettings) -> Pairs:
    """Pairs of faces, chosen by chance but always alike, in which landmarks are found; all others are left over."""
    if 2 * count + 2 > len(source):
        raise UsageError(f"--pairs={count}: {source.name} has {len(source)} faces, which are too few")
    order = np.random.default_rng(0).permutation(len(source))
    chosen: list[int] = []
    points = []
    for position, own in _with_points(source, order, landmarks):
        chosen.append(position)
        points.append(own)
        if len(chosen) == 2 * count:
            break
    others = np.setdiff1d(order, chosen)[:MOST_OTHERS]
    if len(chosen) < 2 * count or len(others) < 2:
        raise UsageError(f"--pairs={count}: {source.name} has landmarks of {len(chosen)} of {len(source)} faces")
    faces, half = floats(source.load(np.array(chosen))["image"]), count
    scheme = SCHEMES[_reader_name(source, landmarks)[1]]
    every = np.stack(points)
    rest = floats(source.load(others)["image"])
    return Pairs(faces[:half], faces[half:], every[:half], every[half:], scheme, rest)


def _reader_name(source: Source, landmarks: groups.LandmarkSettings) -> tuple[str | None, str]:
    """Who reads the landmarks, None where the data set knows them; and their scheme."""
    if landmarks.landmarks != "auto":
        name = landmarks.landmarks
    elif len(source.landmark_names) == SCHEMES["drawn"].num_points:
        return None, "drawn"
    else:
        name = list_readers()[0]
    return name, READERS[name].scheme


def _with_points(
    source: Source, order: np.ndarray, landmarks: groups.LandmarkSettings
) -> Iterator[tuple[int, np.ndarray]]:
    """Positions of faces that show landmarks, and these [L, 2], in sides."""
    size = source.image_shape[0]
    name, _ = _reader_name(source, landmarks)
    reader = READERS[name](landmarks.landmark_model) if name else None
    try:
        for position in progress_bar("finding landmarks", order.tolist()):
            example = {key: column[0] for key, column in source.load(np.array([position])).items()}
            known = None if reader else find_known_points(source, example)
            if known is not None:
                yield position, known / size
            if reader is None:
                continue
            image = Image.fromarray(example["image"].squeeze()).convert("RGB")
            try:
                yield position, largest_face(reader, Stop(str(position), image), tell=keep_quiet) / size
            except NoFaceError:
                continue
    finally:
        if reader:
            reader.close()


# Methods.


def _methods(model: Any, prior: Any) -> dict[str, Callable[[Pairs], np.ndarray]]:
    """By name, what makes midpoints [N, S, S, C] of pairs. The surroundings are the start's where they are one's."""
    methods: dict[str, Callable[[Pairs], np.ndarray]] = {
        "cross-fade": lambda pairs: (pairs.start + pairs.end) / 2.0,
        "warped, blended everywhere": _blend_everywhere,
        "warped, in the oval": _in_oval(has_energy=False, spares_covered=False, change=0.0),
        "the same, energy given back": _in_oval(spares_covered=False, change=0.0),
        "warp": _in_oval(change=0.0),
        "warp, amid the change": _in_oval(),
    }
    if model is not None:
        methods["code"] = lambda pairs: np.stack([_half_way(model, *ends) for ends in zip(*pairs[:2], strict=True)])
        methods["warp+code"] = lambda pairs: np.stack([_half_way(model, *pair) for pair in pairs.warped()])
    if prior is not None:
        methods["code, by its prior"] = lambda pairs: np.stack(
            [_half_way(model, *ends, prior=prior) for ends in zip(*pairs[:2], strict=True)]
        )
    return methods


def _blend_everywhere(pairs: Pairs) -> np.ndarray:
    midpoints = []
    for start, end, start_points, end_points, scheme in pairs.warped():
        shape = (start_points + end_points) / 2.0
        ends = (start, start_points), (end, end_points)
        midpoints.append(np.mean([warp_to(face, own, shape, scheme) for face, own in ends], axis=0))
    return np.stack(midpoints)


def _in_oval(**options: Any) -> Callable[[Pairs], np.ndarray]:
    def make(pairs: Pairs) -> np.ndarray:
        return np.stack([WarpMorph(*pair, **options).frame(HALF) for pair in pairs.warped()])

    return make


def _half_way(model: Any, start: np.ndarray, end: np.ndarray, *shapes: Any, **way: Any) -> np.ndarray:
    """The middle one of three pictures: by codes, or with (start's points, end's, scheme) by shape and codes."""
    faces = np.stack([start, end])
    if not shapes:
        return morph_through(model, faces, 3, **way)[1]
    start_points, end_points, scheme = shapes
    return warp_and_code_through(model, faces, np.stack([start_points, end_points]), scheme, 3, **way)[1]


# Measures.


class Judge:
    """Measures midpoints of pairs.

    Args:
      pairs: the faces.

    Raises:
      WeightsError: a network's weights cannot be had.
    """

    def __init__(self, pairs: Pairs):
        from ...metrics import LPIPS, PooledFeatures

        size = pairs.start.shape[1]
        self.pairs, self.lpips, self.features = pairs, LPIPS("alex", size), PooledFeatures(size)
        self.others = self._in_batches(self.features, pairs.others)
        self.sharpness = self._sharpness(pairs.others)
        self.apart = self._in_batches(self.lpips, pairs.start, pairs.end)

    def real(self) -> Quality:
        """Returns the quality of the starts themselves."""
        return Quality("real faces", self._kernel_distance(self.pairs.start), self._measure_sharpness(self.pairs.start))

    def __call__(self, method: str, midpoints: np.ndarray) -> Quality:
        """The quality of midpoints float32 [N, S, S, C] in [0, 1]."""
        near, far = (self._in_batches(self.lpips, ends, midpoints) for ends in self.pairs[:2])
        measured = self._kernel_distance(midpoints), self._measure_sharpness(midpoints)
        apart = self.apart.mean()
        return Quality(method, *measured, float((near + far).mean() / apart), float((far - near).mean() / apart))

    def _kernel_distance(self, faces: np.ndarray) -> float:
        from ...metrics import kernel_distance, standardise

        return kernel_distance(*standardise(self.others, self._in_batches(self.features, faces)))

    def _measure_sharpness(self, faces: np.ndarray) -> float:
        return self._sharpness(faces) / self.sharpness

    def _sharpness(self, faces: np.ndarray) -> float:
        from ...metrics.sharpness import laplacian_variance

        return float(self._in_batches(laplacian_variance, faces).mean())

    def _in_batches(self, measure: Callable[..., Any], *sets: np.ndarray) -> np.ndarray:
        starts = range(0, len(sets[0]), BATCH_SIZE)
        return np.concatenate([np.asarray(measure(*(one[at : at + BATCH_SIZE] for one in sets))) for at in starts])


def table(qualities: Sequence[Quality]) -> str:
    """A line for each method."""
    lines: list[tuple[str, ...]] = [("midpoints", "kernel distance", "sharpness", "LPIPS", "nearer to the start by")]
    for quality in qualities:
        figures = ["" if figure is None else f"{figure:.3f}" for figure in quality[1:]]
        lines.append((quality.method, *figures))
    return align_columns(lines)


def _save_sheet(file: Path, pairs: Pairs, midpoints: np.ndarray) -> None:
    """Some midpoints between their ends, enlarged."""
    triples = [
        np.concatenate(pictures.resize(np.stack(triple), SHOWN_SIDE), axis=1)
        for triple in zip(pairs.start[:SHOWN], midpoints[:SHOWN], pairs.end[:SHOWN], strict=True)
    ]
    labels = [f"pair {number}: start, half-way, end" for number in range(len(triples))]
    sheet = pictures.draw_labelled_sheet(np.stack(triples), labels, SHOWN_COLUMNS, 1, SHOWN_FONT)
    with files.whole_file(file, is_new=True) as partial:
        pictures.save_png(partial, sheet, "pictures half-way between faces, by a warp")
