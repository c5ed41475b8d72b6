"""One photograph: from a picture file of any kind to an upright RGB picture, and on to the model's square."""

import os
import stat
import struct
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from . import picture_bounds
from .colours import in_srgb
from .picture_kinds import KINDS_IN_WORDS, PREFIX_BYTES, Kind, NotInstalledError, find_kind
from .pnm import PnmFile
from .source import DatasetError

MEGAPIXELS = 100  # that a picture may have
MOST_MEGAPIXELS = 1_000  # that may be asked for: 3 GB as it is read
MAX_PIXELS = MEGAPIXELS * 10**6
NO_PICTURE = f"not a {KINDS_IN_WORDS} picture"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
STRIP = 256  # rows

# The side of a square in the centre, or (left, top, width, height) of one anywhere, in pixels of the picture.
Crop = int | tuple[int, int, int, int]


class DamagedPictureError(DatasetError):
    """A file that does not give a picture; the message is the reason in a few words, without the file's name."""


class UnreadableFileError(DamagedPictureError):
    """The system does not hand the file over: not there, not allowed, a failing disk. Another time it may."""


class TooLargeError(UnreadableFileError):
    """A picture of more pixels than are read; another time more may be."""


def read(
    file: str | os.PathLike[str] | IO[bytes], max_pixels: int = MAX_PIXELS, is_from_stranger: bool = False
) -> Image.Image:
    """Reads a picture in full: RGB in the colours of sRGB, upright by its EXIF orientation.

    Transparent parts become white, 16 bits become 8, an animation gives its first frame. What the file is called does
    not matter, only what it holds.

    Args:
      file: a path, or a binary file that can seek.
      max_pixels: the most that a picture may have.
      is_from_stranger: takes only kinds of files whose readers have no known faults.

    Raises:
      UnreadableFileError: a DamagedPictureError; no such file, none that can seek, no permission, nothing installed
        that reads it, or (TooLargeError) more than `max_pixels`.
      DamagedPictureError: none of `picture_kinds.KINDS`, cut off, or more than `picture_bounds` allow (found in the
        headers, before anything is decoded).
    """
    try:
        if isinstance(file, str | os.PathLike):
            with open_regular(Path(file)) as regular:
                return _decode(regular, max_pixels, is_from_stranger)
        return _decode(file, max_pixels, is_from_stranger)
    except DamagedPictureError:
        raise
    except NotInstalledError as error:
        raise UnreadableFileError(str(error)) from error
    except Exception as error:  # Pillow's decoders meet damaged bytes with a dozen different exceptions.
        if isinstance(error, OSError) and error.strerror:
            raise UnreadableFileError(error.strerror.lower()) from error
        raise DamagedPictureError(_reason(error)) from error


def is_picture(path: Path) -> bool:
    """Whether a file begins as a picture does; True for one that cannot be opened, since reading it will say why."""
    try:
        with open_regular(path) as file:
            return find_kind(file.read(PREFIX_BYTES)) is not None
    except (OSError, UnreadableFileError):
        return True


def open_regular(path: Path) -> IO[bytes]:
    """The file, open to read.

    Raises:
      UnreadableFileError: it is a pipe or a device.
      OSError: it is not there, or cannot be read.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # A pipe would be waited for. A folder says itself what it is.
        raise UnreadableFileError("not a regular file")
    return path.open("rb")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:100]
    if text == "Truncated File Read" or isinstance(error.__cause__, struct.error):  # a number where nothing is left
        return "the file is truncated"
    return text or type(error).__name__


def _decode(file: IO[bytes], max_pixels: int, is_from_stranger: bool) -> Image.Image:
    picture_bounds.check_size(file.seek(0, os.SEEK_END))
    kind = _kind(file)
    if is_from_stranger and not kind.is_for_strangers:
        raise DamagedPictureError(f"a {kind.name} picture: save it as JPEG or PNG")
    file.seek(0)
    size = kind.check(file)
    file.seek(0)
    opened = kind.open(file)
    if size and size != opened.size:  # else its decoder might write beyond the picture (CVE-2026-112403)
        told, found = (f"{width}x{height}" for width, height in (size, opened.size))
        raise DamagedPictureError(f"it says to be {told} and {found} pixels")
    check_pixels(opened.size, max_pixels)
    loaded = _load(opened)
    turn, image = _find_turn(loaded), _rgb(loaded)  # which asks what the file says of its colours
    return image if turn is None else image.transpose(turn)


def _kind(file: IO[bytes]) -> Kind:
    # Not Image.open: above 89 megapixels that warns, and a warning can't be silenced for one thread alone.
    file.seek(0)
    prefix = file.read(PREFIX_BYTES)
    kind = find_kind(prefix)
    if kind is None:
        raise DamagedPictureError(NO_PICTURE if prefix else "empty file")
    return kind


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Raises DamagedPictureError, or a ValueError, for more pixels than are read."""
    width, height = size
    if width * height > max_pixels:
        way_on = ": raise max_megapixels" if max_pixels >= MAX_PIXELS else ""
        raise TooLargeError(f"{width}x{height} is more than {max_pixels // 10**6} megapixels{way_on}")
    picture_bounds.check_sides(width, height)


def _load(opened: Image.Image | PnmFile) -> Image.Image:
    if isinstance(opened, PnmFile):
        return opened.picture()
    size = opened.size
    opened.load()
    if sorted(opened.size) != sorted(size):
        raise DamagedPictureError("it has another size than it says")
    return opened


def _find_turn(image: Image.Image) -> Image.Transpose | None:
    """How its Exif data, of which nothing else is read, say to turn it; damaged ones cost no sound picture."""
    exif = (image.info.get("exif") or b"").removeprefix(picture_bounds.EXIF_HEAD)
    try:
        return _TURNS.get(picture_bounds.read_orientation(exif))
    except picture_bounds.TooMuchError:
        return None


def _rgb(image: Image.Image) -> Image.Image:
    image = in_srgb(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    whole = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP):  # strip by strip, since each copy of a large picture takes much memory
        box = (0, top, image.width, min(top + STRIP, image.height))
        strip = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        whole.paste(Image.alpha_composite(white, strip).convert("RGB"), box)
    return whole


def check_crop(crop: Crop | None) -> None:
    """Raises DatasetError for a crop that fits no picture at all: not square, empty, or beginning outside."""
    if crop is None:
        return
    if isinstance(crop, int):
        if crop < 1:
            raise DatasetError(f"crop={crop} must be a side of at least 1 pixel")
        return
    left, top, width, height = crop
    if width != height:
        raise DatasetError(f"crop={_format(crop)} is {width}x{height} pixels, but it must be square")
    if left < 0 or top < 0 or width < 1:
        raise DatasetError(f"crop={_format(crop)} must be left,top,width,height with left, top >= 0 and a width >= 1")


def crop_box(size: tuple[int, int], crop: Crop | None = None) -> tuple[int, int, int, int]:
    """The square to cut out of a picture of `size` (width, height), as (left, top, right, bottom) in pixels.

    Args:
      size: the picture's (width, height).
      crop: the side of a square in the centre, or (left, top, width, height); default the largest in the centre.

    Raises:
      DatasetError: the crop isn't square or reaches outside the picture.
    """
    check_crop(crop)
    width, height = size
    if crop is None or isinstance(crop, int):
        side = crop or min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
    else:
        left, top, side, _ = crop
    if crop is not None and not (0 <= left <= width - side and 0 <= top <= height - side):
        raise DatasetError(f"crop={_format(crop)} reaches outside a picture of {width}x{height} pixels")
    return left, top, left + side, top + side


def fit(image: Image.Image, image_size: int, crop: Crop | None = None, channels: int = 3) -> np.ndarray:
    """Cuts out a square and resizes it.

    The filter is Lanczos over the whole footprint of each pixel, so that shrinking does not alias: the filter the
    aligned face sets (FFHQ, CelebA-HQ) were made with. Large photographs are first shrunk by averaging to no less
    than three times the size (`reducing_gap`), which is several times faster and hardly differs.

    Args:
      image: any picture `read` gives.
      image_size: side S of the result in pixels.
      crop: the side of a square in the centre, or (left, top, width, height), in pixels of `image`; default the
        largest in the centre.
      channels: C, 3 for RGB or 1 for gray (luma, ITU-R BT.601).

    Returns:
      uint8 [S, S, C].

    Raises:
      DatasetError: the crop isn't square or reaches outside the picture, or `channels` is neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise DatasetError(f"channels={channels}: a picture has 1 (gray) or 3 (RGB)")
    square = _cut(image.convert("L" if channels == 1 else "RGB"), crop_box(image.size, crop))
    resized = square.resize((image_size, image_size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(resized).reshape(image_size, image_size, channels)  # [S, S, C]


def _cut(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    # Not resize(box=...), whose filter reaches beyond the box; nor Image.crop, which warns above 89 megapixels.
    left, top, right, bottom = box
    if (right - left, bottom - top) == image.size:
        return image
    return Image.fromarray(np.asarray(image)[top:bottom, left:right])


def _format(crop: Crop) -> str:
    return str(crop) if isinstance(crop, int) else ",".join(str(number) for number in crop)
