"""Faces brought into one frame, with their landmarks: what a warp morph goes between, with a run or without."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from PIL import Image

from ...datasets import alignment, photographs
from ...datasets.alignment import NoFaceError
from ...datasets.detection import NONE_FOUND
from ...datasets.manifest import Cut
from ...datasets.source import DatasetError
from ...warping.shapes import SCHEMES, Scheme, choose_points, five_points, is_turned, look_apart
from ..errors import UsageError
from ..flags.groups import AlignmentSettings, LandmarkSettings, parse_square
from ..flags.sources import open_given
from ..terminal import announce
from .landmarks.readers import READERS, LandmarkReader, check_landmark_model, list_readers
from .places import example_at, find_known_points, is_place, parse_place

# Of frames of photographs: the face is large, and its chin inside.
TEMPLATE, SHIFT = "celeba", (0.0, 0.1)
MOST_MARGIN = 0.35  # that is shown around it where every photograph has as much
MARGINS = np.linspace(0.0, MOST_MARGIN, 8)
SIZES = (256, 1024)  # of a frame, in pixels, if nothing else is asked for
DRAWN_SIZE = 256  # of faces of a data set
Tell = Callable[[str], None]  # gets what a person should know of a face, a line each
CLOSE = Cut("celeba", 0.25, 320)  # how a face is cut out to be looked at once more
DOUBT = 0.015  # sides of such a crop that landmarks may lie apart, as a root mean square
TURNS = (None, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)


class Stop(NamedTuple):
    """A face as it was read.

    Attributes:
      name: as it was asked for.
      photograph: RGB.
      points: the landmarks that a data set knows of it, [L, 2], (x, y) in pixels.
      is_framed: it is of a data set, and cut as all of that is.
    """

    name: str
    photograph: Image.Image
    points: np.ndarray | None = None
    is_framed: bool = False


class Framed(NamedTuple):
    """Faces in one frame.

    Attributes:
      pictures: float32 [K, S, S, C] in [0, 1].
      points: their landmarks, float64 [K, L, 2], (x, y) in sides.
      scheme: of the landmarks.
      reader: who found them, a key of `READERS`; None where the data set knows them.
    """

    pictures: np.ndarray
    points: np.ndarray
    scheme: Scheme
    reader: str | None

    @property
    def material(self) -> tuple[np.ndarray, np.ndarray, Scheme]:
        """What a warp is made of: pictures, points, scheme."""
        return self.pictures, self.points, self.scheme


class _Found(NamedTuple):
    """The landmarks of each face, [L, 2] in pixels, all of one scheme; and who found them."""

    points: list[np.ndarray]
    scheme: Scheme
    reader: str | None


def frame_photographs(
    names: Sequence[str],
    landmarks: LandmarkSettings,
    alignment_settings: AlignmentSettings,
    given: Mapping[str, Any],
    size: int | None,
) -> Framed:
    """Photographs, and faces of a data set, without a run: cut out so that eyes and mouth lie alike, or by --crop.

    Args:
      names: picture files, or places in a split (`test:17`) of drawn faces or of the data set given.
      landmarks: who finds them.
      alignment_settings: the frame's template and margin.
      given: the data settings that were given.
      size: of the frames; absent, what the photographs hold, up to 1,024 pixels.

    Raises:
      UsageError: a file that cannot be read, or shows no face.
    """
    stops = [read_stop(name, given, size or DRAWN_SIZE) for name in names]
    return frame_stops(stops, landmarks, alignment_settings, given, size)


def frame_stops(
    stops: Sequence[Stop],
    landmarks: LandmarkSettings,
    alignment_settings: AlignmentSettings,
    given: Mapping[str, Any],
    size: int | None = None,
    most: int = SIZES[1],
    tell: Tell = logging.warning,
) -> Framed:
    """`frame_photographs` of faces that have been read.

    Args:
      stops: the faces.
      landmarks, alignment_settings, given, size: as there.
      most: pixels of a frame, where no size is asked for.
      tell: gets what a person should know of them.
    """
    if all(stop.is_framed for stop in stops):
        pictures = np.stack([np.asarray(stop.photograph, np.float32) / 255.0 for stop in stops])
        return frame_face(pictures, [stop.name for stop in stops], landmarks, [stop.points for stop in stops], tell)
    if "crop" in given:
        return _crop(stops, landmarks, parse_square(given["crop"]), size, most, tell)
    return _align(stops, _find(stops, landmarks, tell), alignment_settings, size, most, tell)


def frame_face(
    pictures: np.ndarray,
    names: Sequence[str],
    landmarks: LandmarkSettings,
    known: Sequence[np.ndarray | None],
    tell: Tell = logging.warning,
) -> Framed:
    """Pictures that are in one frame already, and their landmarks.

    Args:
      pictures: float32 [K, S, S, C] in [0, 1].
      names: what each is called.
      landmarks: who finds them.
      known: those that are known, [L, 2] in sides times S; else None.
      tell: gets what a person should know of them.

    Raises:
      UsageError: one shows no face.
    """
    images = [
        Image.fromarray(np.rint(255.0 * picture).astype(np.uint8).squeeze()).convert("RGB") for picture in pictures
    ]
    points, scheme, reader = _find(list(map(Stop, names, images, known)), landmarks, tell)
    return Framed(pictures, np.stack(points) / pictures.shape[1], scheme, reader)


def read_stop(name: str, given: Mapping[str, Any], size: int) -> Stop:
    if is_place(name):
        return _from_split(name, given, size)
    try:
        return Stop(name, photographs.read(name))
    except DatasetError as error:
        raise UsageError(f"{name}: {error}") from error


def _from_split(name: str, given: Mapping[str, Any], size: int) -> Stop:
    source = open_given(given, parse_place(name), size, 3)
    example = example_at(source, name)
    return Stop(name, Image.fromarray(example["image"]), find_known_points(source, example), is_framed=True)


# Landmarks.


def _find(stops: Sequence[Stop], settings: LandmarkSettings, tell: Tell) -> _Found:
    """Finds the landmarks of all, and says what to do where there is no face."""
    try:
        found = _find_by_best(stops, settings, tell)
    except UsageError as error:
        if str(error).endswith(NONE_FOUND):
            raise UsageError(f"{error}: take a photograph that shows one, large and from the front") from error
        raise
    for (first, own), (second, others) in itertools.pairwise(zip(stops, found.points, strict=True)):
        if look_apart(own, others, found.scheme):
            tell(
                f"{first.name} and {second.name} look to different sides, and bend on the way: faces that look the "
                "same way morph better"
            )
    return found


def _find_by_best(stops: Sequence[Stop], settings: LandmarkSettings, tell: Tell) -> _Found:
    """Finds the landmarks of all by the best reader that finds all faces."""
    if settings.landmarks != "auto":
        return _read_by(settings.landmarks, stops, settings, tell)
    check_landmark_model(settings)
    known = [stop.points for stop in stops if stop.points is not None]
    if len(known) == len(stops):
        return _Found(known, SCHEMES["drawn"], None)
    first, *others = list_readers()
    try:
        return _read_by(first, stops, settings, tell)
    except UsageError as error:
        if not others:
            raise
        found = _read_by(others[0], stops, settings, tell)
        tell(f"{first}: {error}; {others[0]} is used instead, whose fit is weaker")
        return found


def _read_by(name: str, stops: Sequence[Stop], settings: LandmarkSettings, tell: Tell) -> _Found:
    announce(f"Finding landmarks in {len(stops)} pictures by {name} ...")
    reader = READERS[name](settings.landmark_model)
    try:
        points = [largest_face(reader, stop, tell) for stop in stops]
        return _Found(*choose_points(points, SCHEMES[reader.scheme]), name)
    except NoFaceError as error:
        raise UsageError(str(error)) from error
    finally:
        reader.close()


def keep_quiet(text: str) -> None:
    """Tells nobody."""


def largest_face(reader: LandmarkReader, stop: Stop, tell: Tell = logging.warning) -> np.ndarray:
    """The landmarks of the largest face, whichever way up the photograph lies: [L, 2], (x, y) in pixels.

    Where there are more, or the face is turned far aside, it tells so.

    Raises:
      NoFaceError: there is none.
    """
    found: list[tuple[float, Image.Transpose | None, list[np.ndarray]]] = []
    for turn, closely in (*((turn, False) for turn in TURNS), (None, True)):
        if closely and found:
            break
        photograph = stop.photograph if turn is None else stop.photograph.transpose(turn)
        if faces := reader.faces(photograph, closely):
            found.append((_measure_doubt(reader, photograph, faces[0]), turn, faces))
            if found[-1][0] < DOUBT:
                break
    if not found:
        raise NoFaceError(f"{stop.name}: {NONE_FOUND}")
    _, turn, faces = min(found, key=lambda each: each[0])
    if len(faces) > 1:
        tell(f"{stop.name} shows {len(faces)} faces: the largest is taken")
    points = _turn_back(faces[0], turn, stop.photograph.size)
    if is_turned(five_points(points, SCHEMES[reader.scheme])):
        tell(f"{stop.name}: the face is turned far aside: half of it is not seen, and will be smeared")
    return points


def _measure_doubt(reader: LandmarkReader, photograph: Image.Image, points: np.ndarray) -> float:
    """How far landmarks lie from those that a closer look at the face gives, upright: in sides of its crop.

    Of a small face that lies upside down a reader may give landmarks as if it were upright, or nearly; looked at again
    by them, it shows others.
    """
    if not reader.takes_lying_for_upright:
        return 0.0
    scheme = SCHEMES[reader.scheme]
    try:
        matrix = CLOSE.matrix(five_points(points, scheme))
        crop = Image.fromarray(alignment.cut(photograph, matrix, CLOSE.size))
        again = [alignment.align_points(points, matrix) - own / CLOSE.size for own in reader.faces(crop)]
    except NoFaceError:  # half out of the picture: there is nothing to see more closely
        return np.inf
    return min((float(np.sqrt((apart**2).sum(axis=-1).mean())) for apart in again), default=np.inf)


def _turn_back(points: np.ndarray, turn: Image.Transpose | None, size: tuple[int, int]) -> np.ndarray:
    """Points of a turned photograph, (x, y) in pixels, where they lie in the photograph of (width, height)."""
    (x, y), (width, height) = points.T, size
    places = {
        None: (x, y),
        Image.Transpose.ROTATE_180: (width - x, height - y),
        Image.Transpose.ROTATE_90: (width - y, x),
        Image.Transpose.ROTATE_270: (y, height - x),
    }
    return np.stack(places[turn], axis=-1)


# Frames.


def _align(
    stops: Sequence[Stop],
    found: _Found,
    settings: AlignmentSettings,
    size: int | None,
    most: int,
    tell: Tell,
) -> Framed:
    """Squares in which eyes, nose and mouth lie where the template has them."""
    template, margin = settings.template or TEMPLATE, settings.margin
    shift = (0.0, 0.0) if settings.template else SHIFT
    fives = [five_points(own, found.scheme) for own in found.points]
    try:
        if margin is None:
            margin = _widest(template, shift, fives, [stop.photograph.size for stop in stops])
        matrices = [Cut(template, margin, shift=shift).matrix(five) for five in fives]
        sides = [float(np.sqrt(np.linalg.det(matrix[:, :2]))) for matrix in matrices]
        size = size or _frame_size(sides, most, tell)
        pairs = list(zip(stops, matrices, strict=True))
        crops = [alignment.cut(stop.photograph, matrix, size) for stop, matrix in pairs]
    except NoFaceError as error:
        raise UsageError(f"{' or '.join(stop.name for stop in stops)}: {error}") from error
    moved = [alignment.align_points(own, matrix) for own, matrix in zip(found.points, matrices, strict=True)]
    frames = np.stack(crops).astype(np.float32) / 255.0
    return Framed(frames, np.stack(moved).astype(np.float64), found.scheme, found.reader)


def _widest(
    template: str, shift: tuple[float, float], fives: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]]
) -> float:
    """The largest margin with which every frame lies inside of its photograph; 0 where even that does not."""
    fitting = [
        margin
        for margin in MARGINS
        if all(
            _is_inside(Cut(template, margin, shift=shift).matrix(five), size)
            for five, size in zip(fives, sizes, strict=True)
        )
    ]
    return float(max(fitting, default=0.0))


def _is_inside(matrix: np.ndarray, size: tuple[int, int]) -> bool:
    corners = matrix @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])  # [2, 4]
    return bool((corners >= 0).all() and (size >= corners.T).all())


def _crop(
    stops: Sequence[Stop], landmarks: LandmarkSettings, crop: Any, size: int | None, most: int, tell: Tell
) -> Framed:
    """What --crop takes of each photograph, as it lies; all of a face that its data set has cut."""
    crops = [None if stop.is_framed else crop for stop in stops]
    try:
        boxes = [photographs.crop_box(stop.photograph.size, own) for stop, own in zip(stops, crops, strict=True)]
    except DatasetError as error:
        raise UsageError(f"--crop: {error}") from error
    size = size or _frame_size([right - left for left, _, right, _ in boxes], most, tell)
    cut = [photographs.fit(stop.photograph, size, own) for stop, own in zip(stops, crops, strict=True)]
    pictures = np.stack(cut).astype(np.float32) / 255.0
    return frame_face(pictures, [stop.name for stop in stops], landmarks, [None] * len(stops), tell)


def _frame_size(sides: Sequence[float], most: int, tell: Tell) -> int:
    """Returns the size of frames that take squares of so many pixels: even, as films want it."""
    held = min(sides)
    size = int(np.clip(held, SIZES[0], most)) // 2 * 2
    if held < size:
        tell(
            f"the smallest photograph holds {int(held)} pixels a side around its face: the frames of all have {size}; "
            "--size sets another size"
        )
    return size
