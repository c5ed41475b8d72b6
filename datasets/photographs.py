"""One photograph: from a JPEG, PNG, WebP or GIF file to an upright RGB picture, and on to the model's square."""

import os
import stat
import struct
from pathlib import Path
from typing import IO

import numpy as np
from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from . import picture_bounds
from .source import DatasetError

MAX_PIXELS = 100_000_000
PREFIX_BYTES = 12
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


def read(file: str | os.PathLike[str] | IO[bytes], max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Reads a picture in full: RGB, upright by its EXIF orientation.

    Transparent parts become white, 16-bit gray becomes 8-bit, an animation gives its first frame. What the file is
    called does not matter, only what it holds.

    Args:
      file: a path, or a binary file that can seek.
      max_pixels: the most that a picture may have.

    Raises:
      UnreadableFileError: a DamagedPictureError; no such file, none that can seek, or no permission.
      DamagedPictureError: not a JPEG, PNG, WebP or GIF, cut off, or more than `max_pixels` or `picture_bounds` allow
        (found in the headers, before anything is decoded).
    """
    try:
        if isinstance(file, str | os.PathLike):
            with opened(Path(file)) as regular:
                return _decoded(regular, max_pixels)
        return _decoded(file, max_pixels)
    except DamagedPictureError:
        raise
    except Exception as error:  # Pillow's decoders meet damaged bytes with a dozen different exceptions.
        if isinstance(error, OSError) and error.strerror:
            raise UnreadableFileError(error.strerror.lower()) from error
        raise DamagedPictureError(_reason(error)) from error


def opened(path: Path) -> IO[bytes]:
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


def _decoded(file: IO[bytes], max_pixels: int) -> Image.Image:
    picture_bounds.check_size(file.seek(0, os.SEEK_END))
    file.seek(0)
    plugin, size = _plugin(file), None
    if plugin is JpegImagePlugin.JpegImageFile:
        size = picture_bounds.check_jpeg(file)
    elif plugin is PngImagePlugin.PngImageFile:
        picture_bounds.check_png(file)
    elif plugin is GifImagePlugin.GifImageFile:
        picture_bounds.check_gif(file)
    file.seek(0)
    image = plugin(file)
    if size and size != image.size:  # else its decoder might write beyond the picture (CVE-2026-112403)
        raise DamagedPictureError(f"it says to be {size[0]}x{size[1]} and {image.width}x{image.height} pixels")
    if image.width * image.height > max_pixels:
        raise DamagedPictureError(f"{image.width}x{image.height} is more than {max_pixels // 10**6} megapixels")
    picture_bounds.check_sides(*image.size)
    image.load()
    return _rgb(_upright(image))


def _plugin(file: IO[bytes]) -> type[ImageFile.ImageFile]:
    # Not Image.open: above 89 megapixels that warns, and a warning can't be silenced for one thread alone.
    prefix = file.read(PREFIX_BYTES)
    file.seek(0)
    if prefix.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile
    if prefix.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile
    if prefix[:4] == b"RIFF" and prefix[8:] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    if prefix.startswith(b"GIF8"):
        return GifImagePlugin.GifImageFile
    raise DamagedPictureError("not a JPEG, PNG, WebP or GIF picture" if prefix else "empty file")


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its Exif data say, of which nothing else is read; damaged ones cost no sound picture."""
    exif = image.info.get("exif", b"").removeprefix(picture_bounds.EXIF_HEAD)
    try:
        turn = _TURNS.get(picture_bounds.orientation_of(exif))
    except picture_bounds.TooMuchError:
        return image
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _eight_bit(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    whole = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP):  # strip by strip, since each copy of a large picture takes much memory
        box = (0, top, image.width, min(top + STRIP, image.height))
        strip = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        whole.paste(Image.alpha_composite(white, strip).convert("RGB"), box)
    return whole


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit gray, in any of Pillow's modes for it, by rounding; Pillow's own conversion clips at 255."""
    values = np.asarray(image).astype(np.uint32).clip(0, 65535)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


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
        raise DatasetError(f"crop={_listed(crop)} is {width}x{height} pixels, but it must be square")
    if left < 0 or top < 0 or width < 1:
        raise DatasetError(f"crop={_listed(crop)} must be left,top,width,height with left, top >= 0 and a width >= 1")


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
        raise DatasetError(f"crop={_listed(crop)} reaches outside a picture of {width}x{height} pixels")
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


def _listed(crop: Crop) -> str:
    return str(crop) if isinstance(crop, int) else ",".join(str(number) for number in crop)
