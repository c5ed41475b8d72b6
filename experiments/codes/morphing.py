"""From faces to the pictures on the way between them: by their codes, by warping them, or by both."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from ... import pictures
from ...latents.interpolation import (
    count_stretches,
    even_alphas,
    find_equal_change,
    interpolate,
    interpolate_through,
    meet_all,
)
from ...warping import morph as warps
from ...warping.shapes import Scheme
from ..backend import as_array
from .encoding import BATCH_SIZE, NOTHING, Columns, decode_codes, describe_noise, encode_exactly, tell_person

if TYPE_CHECKING:
    from ...models import CodePrior

METHODS = ("code", "warp", "warp+code")
WARP_PATHS = ("linear", "uniform")  # the others lead through codes
NOBODY = "a generated picture of nobody"
NOTICE = f"{NOBODY}; a morph has no place in an identity document"
SMALL = 64  # pixels at which frames of equal distances are looked for
ROW_SIDE, GIF_SIDE = 256, 480  # pixels of a frame at most, in a row and in a GIF
MOST_ROW = 2560  # pixels of a row, after which another one begins
SHEET_COLUMNS, SHEET_FRAMES, SHEET_SIDES, SHEET_FONT = 6, 25, (128, 256), 14


def morph_through(
    model,
    faces: np.ndarray,
    steps: int = 10,
    path: str = "linear",
    closed: bool = False,
    person: str | None = None,
    prior: "CodePrior | None" = None,
) -> np.ndarray:
    """Decoded pictures on the way through faces. A conditional model is told no attributes.

    Args:
      model: an `Autoencoder`.
      faces: [K, H, W, C] in [0, 1], of the model's size, at least two.
      steps: pictures, both ends included; of a closed way the first one only once.
      path: "linear", "normalized", "slerp", or "uniform", the linear one with the frames at equal distances as the
        face network sees them (the dynamic step).
      closed: the last face leads back to the first.
      person: whose face a mapping model makes of the codes, the last one it knows if absent.
      prior: of the model's codes; the way leads through the noises that it draws them from, along the great circle, so
        that codes on it are as likely as those of faces. The path says where the frames lie.

    Returns:
      float32 [steps, H, W, C] in [0, 1].

    Raises:
      ValueError: the model does not know the person, or maps nobody.
    """
    told = tell_person(model, person)
    codes, details = encode_exactly(model, np.asarray(faces))
    ends = codes if prior is None else _find_noise(prior, codes)

    def pictures_at(alphas: np.ndarray) -> np.ndarray:
        between = lead_details(details, alphas, closed)
        led = interpolate_through(ends, alphas, path if prior is None else "slerp", closed)
        return decode_codes(model, led if prior is None else _draw(prior, led), {**told, **between})

    return pictures_at(_place(pictures_at, steps, path, closed))


def lead_details(details: Columns, alphas: np.ndarray, closed: bool = False) -> Columns:
    """What a model is told besides codes on the way through faces.

    Args:
      details: of K faces, as `encode_exactly` or `draw_noise` gives them.
      alphas: [N], as in `interpolate_through`.
      closed: as there.

    Returns:
      N rows of each: noise goes along the great circle, where it stays noise. Codes between faces are doubtful, and
      what is seen of them no picture has: their noise is as good as drawn.
    """
    if not details:
        return NOTHING
    noise = interpolate_through(details["noise"], alphas, "slerp", closed)
    drawn = interpolate_through(details["drawn"][:, None], alphas, "linear", closed)[:, 0]
    return _doubt(noise, drawn, warps.stretches(alphas, len(details["noise"]), closed)[1])


def decode_between(
    model,
    first: tuple[np.ndarray, Columns],
    second: tuple[np.ndarray, Columns],
    shares: np.ndarray,
    path: str = "linear",
    told: Columns = NOTHING,
    moved: np.ndarray | float = 0.0,
    prior: "CodePrior | None" = None,
) -> np.ndarray:
    """Pictures so far between two batches of faces, row by row.

    Args:
      model: an `Autoencoder`.
      first: codes and details of N faces, as `encode_exactly` gives them.
      second: of N others.
      shares: [N], 0 is the first of two faces and 1 the second.
      path: between codes, as in `interpolate`; details go along the great circle, where noise stays noise.
      told: what the model is told besides.
      moved: what is added to every code.
      prior: of the model's codes, as in `morph_through`.

    Returns:
      float32 [N, H, W, C] in [0, 1].
    """
    (codes, details), (others, other_details) = first, second
    between = NOTHING
    if details:
        noise = _blend(details["noise"], other_details["noise"], shares, "slerp")
        drawn = details["drawn"] + shares * (other_details["drawn"] - details["drawn"])
        between = _doubt(noise, drawn, shares)
    if prior is None:
        led = _blend(codes, others, shares, path)
    else:
        led = _draw(prior, _blend(_find_noise(prior, codes), _find_noise(prior, others), shares, "slerp"))
    return decode_codes(model, led + moved, {**told, **between})


def _find_noise(prior: "CodePrior", codes: np.ndarray) -> np.ndarray:
    """The noises that a prior draws codes from: the same shape."""
    starts = range(0, len(codes), BATCH_SIZE)
    return np.concatenate([as_array(prior.find_noise(codes[start : start + BATCH_SIZE])) for start in starts])


def _draw(prior: "CodePrior", noise: np.ndarray) -> np.ndarray:
    """Codes that a prior draws from noise: the same shape."""
    starts = range(0, len(noise), BATCH_SIZE)
    return np.concatenate([as_array(prior.draw(noise[start : start + BATCH_SIZE])) for start in starts])


def _blend(first: np.ndarray, second: np.ndarray, shares: np.ndarray, path: str) -> np.ndarray:
    """Row by row so far between two: [N, ...] twice, and [N]."""
    ways = zip(first, second, shares[:, None], strict=True)
    return np.concatenate([interpolate(*way, path) for way in ways])


def _doubt(noise: np.ndarray, drawn: np.ndarray, shares: np.ndarray) -> Columns:
    """What a model that draws details is told so far between two faces: in the middle it is to believe least."""
    from ...models.diffusion_autoencoder import DOUBT_BETWEEN

    middle = np.sin(np.pi * shares)
    return describe_noise(noise, DOUBT_BETWEEN * middle, np.maximum(drawn, middle))


def _place(pictures_at: Callable[[np.ndarray], np.ndarray], steps: int, path: str, closed: bool) -> np.ndarray:
    """Where on a way the frames lie, [steps]: evenly, or at equal distances as the face network sees its pictures."""
    if path != "uniform":
        return even_alphas(steps, closed)
    from .face_network import face_features

    return find_equal_change(lambda alphas: face_features(pictures_at(alphas)), steps, closed)


def warp_through(
    faces: np.ndarray,
    points: np.ndarray,
    scheme: Scheme,
    steps: int = 24,
    path: str = "linear",
    closed: bool = False,
) -> np.ndarray:
    """The way through faces without any model: warped by their landmarks, and blended where they are faces.

    Args:
      faces: [K, H, W, C] in [0, 1], at least two.
      points: their landmarks [K, L, 2], (x, y) in sides.
      scheme: of the landmarks.
      steps: pictures, as in `morph_through`.
      path: "linear" or "uniform".
      closed: the last face leads back to the first.

    Returns:
      float32 [steps, H, W, C] in [0, 1].

    Raises:
      ValueError: fewer than two faces, a path through codes, or points that are not the scheme's.
    """
    if path not in WARP_PATHS:
        raise ValueError(f"path={path!r} leads through codes; a warp takes {' or '.join(WARP_PATHS)}")
    small = pictures.thumbnails(pictures.to_uint8(faces), SMALL).astype(np.float32) / 255.0
    placed = _place(lambda alphas: warps.morph_through(small, points, scheme, alphas, closed), steps, path, closed)
    return warps.morph_through(faces, points, scheme, placed, closed)


def warp_and_code_through(
    model,
    faces: np.ndarray,
    points: np.ndarray,
    scheme: Scheme,
    steps: int = 10,
    path: str = "linear",
    closed: bool = False,
    person: str | None = None,
    prior: "CodePrior | None" = None,
) -> np.ndarray:
    """The way through codes of faces that have been given one shape before: on each place of it that of the place.

    Inside of the face's oval what the codes decode to is shown; around it, as in a warp, the nearer end as it is
    decoded. The arguments are those of `morph_through` and `warp_through`, the pictures those of the first.
    """
    way = ShapedCodes(model, faces, points, scheme, path, closed, tell_person(model, person), prior=prior)
    return way.pictures_at(_place(way.pictures_at, steps, path, closed))


class ShapedCodes:
    """The way of `warp_and_code_through`, for pictures anywhere on it.

    Args:
      model, faces, points, scheme, path, closed: as there.
      told: what the model is told when it decodes.
      moved: what is added to every code.
      prior: of the model's codes, as in `morph_through`.
    """

    def __init__(
        self,
        model,
        faces: np.ndarray,
        points: np.ndarray,
        scheme: Scheme,
        path: str = "linear",
        closed: bool = False,
        told: Columns = NOTHING,
        moved: np.ndarray | float = 0.0,
        prior: "CodePrior | None" = None,
    ):
        self.model, self.faces, self.points, self.scheme = model, faces, points, scheme
        self.path, self.closed, self.told, self.moved, self.prior = path, closed, told, moved, prior
        codes, details = encode_exactly(model, faces)
        self.ends = decode_codes(model, codes + moved, {**told, **details})

    def pictures_at(self, alphas: np.ndarray) -> np.ndarray:
        """Pictures at places on the way, [N] from 0 to 1: float32 [N, H, W, C] in [0, 1]."""
        numbers, shares = warps.stretches(alphas, len(self.faces), self.closed)
        portions = []
        for start in range(0, len(numbers), BATCH_SIZE):
            own = slice(start, start + BATCH_SIZE)
            both = [self._in_shape(*place) for place in zip(numbers[own], shares[own], strict=True)]
            first, second = (encode_exactly(self.model, np.stack(side)) for side in zip(*both, strict=True))
            portions.append(
                decode_between(self.model, first, second, shares[own], self.path, self.told, self.moved, self.prior)
            )
        inner = np.concatenate(portions)
        return warps.frame_through(self.ends, self.points, self.scheme, alphas, inner, self.closed)

    def _in_shape(self, number: int, share: float) -> list[np.ndarray]:
        """Both neighbours of a place on the way, in its shape."""
        ends = [number, (number + 1) % len(self.faces)]
        shape = self.points[ends[0]] + share * (self.points[ends[1]] - self.points[ends[0]])
        return [warps.warp_to(self.faces[end], self.points[end], shape, self.scheme) for end in ends]


def interpolate_pictures(
    model, start: np.ndarray, end: np.ndarray, steps: int = 10, path: str = "linear", person: str | None = None
):
    """`morph_through` from one picture to another, [H, W, C] in [0, 1] each."""
    return morph_through(model, np.stack([start, end]), steps, path, person=person)


def visualize_interpolation(
    model, img1, img2, steps: int = 10, path: str = "linear", show: bool = True, person: str | None = None
) -> np.ndarray:
    """Morphs `img1` into `img2` and draws the row of pictures with matplotlib.

    Args:
      model: an `Autoencoder`.
      img1: [H, W, C] in [0, 1], of the model's size.
      img2: the same.
      steps: pictures in the row, both ends included.
      path: as in `morph_through`.
      show: False draws nothing.
      person: as in `morph_through`.

    Returns:
      The frames, float32 [steps, H, W, C] in [0, 1].
    """
    frames = interpolate_pictures(model, np.asarray(img1), np.asarray(img2), steps, path, person)
    if show:
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(figsize=(1.5 * steps, 1.5))
        axes.imshow(pictures.row(frames), cmap="gray", vmin=0, vmax=255)
        axes.axis("off")
        plt.show()
    return frames


def save_morph(
    folder: Path,
    frames: np.ndarray,
    description: str,
    closed: bool = False,
    stops: Sequence[str] = (),
    frames_per_second: float = 10.0,
) -> None:
    """Writes 000.png ..., row.png, sheet.png, morph.gif and, where there is an ffmpeg, morph.mp4 into a folder.

    The films go there and, if open, back. Each file says that it shows a morph, and where that has no place.

    Args:
      folder: where to.
      frames: [N, H, W, C] in [0, 1].
      description: what they are.
      closed: the last frame leads to the first.
      stops: what the faces are called that the frames go through, at even distances; without, frames are numbered.
      frames_per_second: of the films.
    """
    said = f"{description}: {NOTICE}"
    shown = pictures.to_uint8(frames)

    def save_frame(number: int) -> None:
        text = f"{description}, frame {number + 1} of {len(frames)}: {NOTICE}"
        pictures.save_png(folder / f"{number:03d}.png", shown[number], text)

    with ThreadPoolExecutor() as threads:
        list(threads.map(save_frame, range(len(frames))))
    small = pictures.thumbnails(shown, ROW_SIDE)
    pictures.save_png(
        folder / "row.png", pictures.grid(small, choose_columns(len(small), MOST_ROW // small.shape[2])), said
    )
    pictures.save_png(folder / "sheet.png", _sheet(shown, stops, closed), said)
    film = shown if closed else pictures.there_and_back(shown)
    pictures.save_gif(folder / "morph.gif", pictures.thumbnails(film, GIF_SIDE), said, frames_per_second)
    try:
        pictures.find_ffmpeg()
    except OSError as error:
        logging.warning("morph.mp4 is left out: %s", error)
    else:
        pictures.save_mp4(folder / "morph.mp4", film, said, frames_per_second)


def _sheet(frames: np.ndarray, stops: Sequence[str], closed: bool) -> np.ndarray:
    """Frames with their labels below, some of them where they are many: uint8 [N, S, S, C] -> [..., ..., 3]."""
    chosen = _choose_shown(len(frames), len(stops), closed)
    side = int(np.clip(frames.shape[1], *SHEET_SIDES))
    labels = [_label(number, len(frames), stops, closed) for number in chosen]
    shown = pictures.resize(frames[chosen], side)
    return pictures.draw_labelled_sheet(shown, labels, choose_columns(len(chosen), SHEET_COLUMNS), 1, SHEET_FONT)


def _choose_shown(count: int, faces: int, closed: bool) -> np.ndarray:
    """Which of the frames a sheet shows, evenly, those of the faces on the way among them where it holds as many."""
    if count <= SHEET_FRAMES:
        return np.arange(count)
    stretches = count_stretches(faces, closed)
    shown = meet_all(SHEET_FRAMES + 1 - stretches, faces, closed) if 0 < stretches < SHEET_FRAMES else SHEET_FRAMES
    return np.rint(even_alphas(shown, closed) * (count if closed else count - 1)).astype(int)


def choose_columns(count: int, most: int) -> int:
    """How many pictures stand in a row, at most so many, so that all rows are about as long."""
    num_rows = -(-count // max(1, most))
    return -(-count // num_rows)


def _label(number: int, count: int, stops: Sequence[str], closed: bool) -> str:
    """What a frame is: one of the faces, or so far on the way to the next."""
    if len(stops) < 2:
        return f"frame {number + 1}"
    alpha = even_alphas(count, closed)[number : number + 1]
    (stretch,), (share,) = warps.stretches(alpha, len(stops), closed)
    names = [Path(stops[place % len(stops)]).name for place in (stretch, stretch + 1)]
    return names[int(share)] if share in (0.0, 1.0) else f"{share:.0%} to {names[1]}"
