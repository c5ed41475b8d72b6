"""What a picture file is, by its first bytes: its name says nothing."""

import importlib.util
from collections.abc import Callable
from typing import IO, NamedTuple

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from . import picture_bounds
from .pnm import PnmFile

PREFIX_BYTES = 64
KINDS_IN_WORDS = "JPEG, PNG, WebP, GIF, HEIC, AVIF, TIFF, BMP, PNM or JPEG 2000"
# Endings that such files usually have. A file of another kind that has one is a damaged picture; one that has none
# of them is no picture at all.
ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".heic", ".heif", ".hif", ".avif"),
    *(".tif", ".tiff", ".bmp", ".dib", ".pgm", ".ppm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".jpf"),
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_TIFF_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG_2000_BEGINNINGS = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")


class NotInstalledError(ValueError):
    """What reads such files is not installed; the message says what to do."""


class Kind(NamedTuple):
    """A kind of picture file.

    Attributes:
      name: as people call it.
      is_one: whether a file that begins so is one.
      open: reads the head of one; what it gives has the `size`.
      check: looks through its headers before it is opened, from its first byte, and returns a size that it must turn
        out to have, or None.
      is_for_strangers: files from anybody are read too; the readers of the others are known to have faults.
    """

    name: str
    is_one: Callable[[bytes], bool]
    open: Callable[[IO[bytes]], Image.Image | PnmFile]
    check: Callable[[IO[bytes]], tuple[int, int] | None] = lambda file: None
    is_for_strangers: bool = True


def find_kind(prefix: bytes) -> Kind | None:
    """The kind of a file whose first `PREFIX_BYTES` bytes, or all that it has, are `prefix`."""
    return next((kind for kind in KINDS if kind.is_one(prefix)), None)


def _begins(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda prefix: prefix.startswith(beginnings)


def _is_webp(prefix: bytes) -> bool:
    return prefix[:4] == b"RIFF" and prefix[8:12] == b"WEBP"


def _is_bmp(prefix: bytes) -> bool:
    """ "BM" alone begins many a text; the size of the header behind it is one of a few."""
    return prefix[:2] == b"BM" and int.from_bytes(prefix[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)


def _is_pnm(prefix: bytes) -> bool:
    return prefix[:1] == b"P" and prefix[1:2] in b"123456" and prefix[2:3].isspace() and len(prefix) > 2


def _has_brand(*brands: bytes) -> Callable[[bytes], bool]:
    """Whether the first box of an ISO media file (ISO/IEC 14496-12) names one of the brands."""

    def is_one(prefix: bytes) -> bool:
        end = min(int.from_bytes(prefix[:4], "big"), len(prefix))
        named = (prefix[8:12], *(prefix[place : place + 4] for place in range(16, end - 3, 4)))
        return prefix[4:8] == b"ftyp" and any(brand in brands for brand in named)

    return is_one


def _open_heic(file: IO[bytes]) -> Image.Image:
    if importlib.util.find_spec("pillow_heif") is None:
        raise NotInstalledError("a HEIC picture: pip install 'facezoo[heif]'")
    import pillow_heif
    from pillow_heif.as_plugin import HeifImageFile

    for name in ("THUMBNAILS", "DEPTH_IMAGES", "AUX_IMAGES"):  # none of them is asked for
        setattr(pillow_heif.options, name, False)
    return HeifImageFile(file)


KINDS = (
    Kind("JPEG", _begins(b"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile, picture_bounds.check_jpeg),
    Kind("PNG", _begins(b"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile, picture_bounds.check_png),
    Kind("WebP", _is_webp, WebPImagePlugin.WebPImageFile),
    Kind("GIF", _begins(b"GIF8"), GifImagePlugin.GifImageFile, picture_bounds.check_gif),
    Kind("AVIF", _has_brand(*_AVIF_BRANDS), AvifImagePlugin.AvifImageFile),
    Kind("HEIC", _has_brand(*_HEIC_BRANDS), _open_heic),
    Kind("TIFF", _begins(*_TIFF_BEGINNINGS), TiffImagePlugin.TiffImageFile, picture_bounds.check_tiff, False),
    Kind("BMP", _is_bmp, BmpImagePlugin.BmpImageFile, picture_bounds.check_bmp),
    Kind("PNM", _is_pnm, PnmFile, picture_bounds.check_pnm),
    Kind(
        "JPEG 2000",
        _begins(*_JPEG_2000_BEGINNINGS),
        Jpeg2KImagePlugin.Jpeg2KImageFile,
        picture_bounds.check_jpeg_2000,
        False,
    ),
)
