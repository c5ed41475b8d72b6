"""What a picture file may ask of whoever reads it, looked up in its headers before anything is decoded."""

import math
import re
import struct
from collections.abc import Iterator
from typing import IO

MAX_BYTES = 256 * 2**20  # of a file
MAX_SIDE = 65_535  # pixels, as a JPEG has them at most; Pillow keeps a pointer for each row
MAX_METADATA_BYTES = 16 * 2**20  # before the picture itself
MAX_SEGMENTS = 1_000  # of a JPEG, besides its scans
MAX_SCANS = 64  # of a JPEG: cameras and tools write about ten
MAX_SCANNED_PIXELS = 1_000_000_000  # pixels of a JPEG, each time that a scan comes over them
MAX_GIF_EXTENSION_BYTES = 2**20  # with three for each
EXIF_HEAD, MAX_EXIF_BYTES, MAX_EXIF_TAGS = b"Exif\0\0", 2**20, 1000
_ORIENTATION, _SHORT = 0x0112, 3
_EXIF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}  # bytes, by kind
MAX_TEXTS, MAX_TEXT_BYTES = 1_000, 4 * 2**20  # of a PNG, which unpack to more
MAX_PNG_CHUNKS = 200_000
MAX_SLOW_BYTES = 2 * 2**20  # of what Pillow unpacks by a loop in Python
MAX_WRITTEN_BYTES = 64 * 2**20  # of numbers in letters
MAX_TILES = 20_000  # of a JPEG 2000
_TIFF_FOLDERS = (34665, 34853, 40965)  # lists of further tags: Exif, GPS, interoperability
_SUBFILE, _DNG_VERSION = 254, 50706
_CODE_STREAM = b"\xff\x4f\xff\x51"
MAX_GARBAGE = 65_536  # bytes that are no part of the format; Pillow steps over them one by one
# Two bytes that are no part of a JPEG's coded pixels: those have 00 after FF, or a restart's number.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])", re.DOTALL)
_WITHOUT_LENGTH = (0x01, 0xD8)
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Markers of no JPEG that anybody writes; readers differ in whether a length follows them.
_STRANGE = frozenset((*range(0x02, 0xC0), 0xC8, 0xDE, 0xDF, *range(0xF0, 0xFE)))
_SEQUENTIAL = (0xC0, 0xC1)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # where a size stands


class TooMuchError(ValueError):
    """A file asks for more than it may; the message says for what, in a few words."""


def check_size(num_bytes: int) -> None:
    """Raises TooMuchError for a file that is too large to be read."""
    if num_bytes > MAX_BYTES:
        raise TooMuchError(f"the file has {num_bytes // 2**20} MB, more than {MAX_BYTES // 2**20}")


def check_sides(width: int, height: int) -> None:
    """Raises TooMuchError for a picture that is longer than any."""
    if max(width, height) > MAX_SIDE:
        raise TooMuchError(f"{width}x{height}: a side has more than {MAX_SIDE} pixels")


def check_jpeg(file: IO[bytes]) -> tuple[int, int]:
    """Walks over a JPEG's segments and counts its scans. A progressive one is decoded over all of its pixels in each.

    Returns:
      Width and height as its only frame says; it must not be decoded to any other size.

    Raises:
      TooMuchError: there are more scans, segments or bytes of metadata than any camera or tool writes, or there is
        more than one frame, so that two readers may take different ones for the picture's.
    """
    data = file.read()
    size, num_components, scans, segments, metadata, exif = (0, 0), 0, 0, 0, 0, b""
    position = 2
    while found := _MARKER.search(data, position):
        if not scans and found.start() - position > MAX_GARBAGE:
            break
        marker, position = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            break
        if marker in _STRANGE:
            raise TooMuchError(f"a JPEG with a part of the kind {marker:X}")
        if marker in _WITHOUT_LENGTH or len(data) < position + 8:
            continue
        length = max(2, *struct.unpack_from(">H", data, position))
        content = data[position + 2 : position + length]
        position += length
        if marker == _START_OF_SCAN:
            scans += 1
            if content[0] == num_components:
                break  # one scan holds all there is, as photographs have it
            if scans > MAX_SCANS or (scans > 1 and scans * math.prod(size) > MAX_SCANNED_PIXELS):
                raise TooMuchError(f"a JPEG of more than {scans - 1} scans")
            continue
        if marker in _FRAMES:
            if any(size):
                raise TooMuchError("a JPEG of more than one picture in one")
            height, width, parts = struct.unpack_from(">HHB", content, 1)
            size, num_components = (width, height), parts if marker in _SEQUENTIAL else 0
        if content.startswith(EXIF_HEAD):
            exif += content[len(EXIF_HEAD) :]
        segments, metadata = segments + 1, metadata + length
        if segments > MAX_SEGMENTS or metadata > MAX_METADATA_BYTES or len(exif) > MAX_EXIF_BYTES:
            raise TooMuchError(f"a JPEG of more than {segments - 1} segments")
    if not scans and len(data) - position > MAX_GARBAGE:
        raise TooMuchError("a JPEG without a picture in it")
    check_exif(exif)
    return size


def check_exif(exif: bytes) -> None:
    """Looks through Exif data for what makes readers slow, before any reader sees them.

    Raises:
      TooMuchError: heads follow on heads, which Pillow 12 takes off one by one with a copy of the rest
        (CVE-2026-96643), or its tags are many or together much longer than itself.
    """
    read_orientation(exif)


def read_orientation(exif: bytes) -> int:
    """How a picture is to be turned, 1 to 8 as in the Exif standard (CIPA DC-008, tag 0x0112); 1 where nothing tells.

    Args:
      exif: from its byte order on, behind the head.

    Raises:
      TooMuchError: as `check_exif`.
    """
    if exif.startswith(EXIF_HEAD):
        raise TooMuchError("Exif data with more than one head")
    if len(exif) > MAX_EXIF_BYTES:
        raise TooMuchError("very long Exif data")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return 1
    (start,) = struct.unpack_from(order + "I", exif, 4)
    if start + 2 > len(exif):
        return 1
    (count,) = struct.unpack_from(order + "H", exif, start)
    num_bytes, orientation = 0, 1
    for place in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, number = struct.unpack_from(order + "HHI", exif, place)
        num_bytes += number * _EXIF_SIZES.get(kind, 0)
        if tag == _ORIENTATION and kind == _SHORT and number == 1:
            (orientation,) = struct.unpack_from(order + "H", exif, place + 8)
    if count > MAX_EXIF_TAGS or num_bytes > 4 * MAX_EXIF_BYTES:
        raise TooMuchError("Exif data of very many or very long tags")
    return orientation if orientation in range(1, 9) else 1


def check_png(file: IO[bytes]) -> None:
    """Counts the chunks of a PNG.

    Raises:
      TooMuchError: there are more than any tool writes, or those that have to be unpacked are many or long.
    """
    file.seek(8, 1)
    texts = text_bytes = 0
    for _ in range(MAX_PNG_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] in (b"zTXt", b"iTXt", b"iCCP"):
            texts, text_bytes = texts + 1, text_bytes + length
            if texts > MAX_TEXTS or text_bytes > MAX_TEXT_BYTES:
                raise TooMuchError("a PNG with very much text")
        file.seek(length + 4, 1)
    raise TooMuchError(f"a PNG of more than {MAX_PNG_CHUNKS} parts")


def check_gif(file: IO[bytes]) -> None:
    """Measures what stands before the first picture of a GIF.

    Raises:
      TooMuchError: comments and other extensions are very long.
    """
    header = file.read(13)
    if len(header) == 13 and header[10] & 0x80:
        file.seek(3 * 2 ** ((header[10] & 7) + 1), 1)  # the table of colours
    num_bytes = garbage = 0
    while (kind := file.read(1)) not in (b"", b",", b";"):
        if kind != b"!":
            garbage += 1
            if garbage > MAX_GARBAGE:
                raise TooMuchError("a GIF without a picture in it")
            continue
        file.read(1)
        before = num_bytes
        while (size := file.read(1)) and size[0]:
            file.seek(size[0], 1)
            num_bytes += 1 + size[0]
        if num_bytes == before:  # Pillow reads on where others stop
            raise TooMuchError("a GIF with an empty comment")
        num_bytes += 3
        if num_bytes > MAX_GIF_EXTENSION_BYTES:
            raise TooMuchError("a GIF with comments of more than a megabyte")


def check_tiff(file: IO[bytes]) -> None:
    """Measures the tags of a TIFF's first picture (TIFF 6.0, section 2, and BigTIFF), which its reader takes whole.

    Raises:
      TooMuchError: they are many or long, or it is a camera's raw file, of which only a small preview could be read.
    """
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = head[2:4] in (b"+\0", b"\0+")
    if len(head) < 16:
        return
    (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), head, 8 if is_big else 4)
    waiting, seen, num_bytes = [start], set[int](), 0
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        for tag, length, value in _tags(file, order, is_big, place):
            num_bytes += length
            if num_bytes > MAX_METADATA_BYTES:
                raise TooMuchError("a TIFF of very long tags")
            if tag in _TIFF_FOLDERS:
                waiting.append(value)
            if place == start and (tag == _DNG_VERSION or (tag == _SUBFILE and value & 1)):
                raise TooMuchError("a camera's raw file: save it as JPEG, PNG or TIFF")
    if head[8:10] == b"CR" and not is_big:
        raise TooMuchError("a camera's raw file: save it as JPEG, PNG or TIFF")


def _tags(file: IO[bytes], order: str, is_big: bool, place: int) -> Iterator[tuple[int, int, int]]:
    """Of each tag in one of a TIFF's lists, its number, how many bytes it has, and its value if it is one number."""
    file.seek(place)
    num_bytes, form = (8, "Q") if is_big else (2, "H")
    head = file.read(num_bytes)
    (count,) = struct.unpack(order + form, head) if len(head) == num_bytes else (0,)
    if count > MAX_EXIF_TAGS:
        raise TooMuchError(f"a TIFF of {count} tags")
    entry = struct.Struct(order + ("HHQQ" if is_big else "HHII"))
    data = file.read(count * entry.size)
    for tag, kind, number, value in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
        size = _EXIF_SIZES.get(kind, 0)
        is_left = order == ">" and number == 1 and size < (8 if is_big else 4)  # it stands in the first bytes
        yield tag, number * size, value >> 8 * ((8 if is_big else 4) - size) if is_left else value


def check_bmp(file: IO[bytes]) -> None:
    """Raises TooMuchError for a long BMP in runs of equal pixels, which is unpacked one by one."""
    head = file.read(34)
    if len(head) == 34 and head[14] != 12 and head[30] in (1, 2) and file.seek(0, 2) > MAX_SLOW_BYTES:
        raise TooMuchError(f"a BMP of runs with more than {MAX_SLOW_BYTES // 2**20} MB")


def check_jpeg_2000(file: IO[bytes]) -> tuple[int, int] | None:
    """Looks for the size of a JPEG 2000 and its tiles (ISO/IEC 15444-1, A.5.1) in the first of its parts.

    Returns:
      Width and height.

    Raises:
      TooMuchError: it has no size, or very many tiles.
    """
    place = 0
    if file.read(4) != _CODE_STREAM:
        for _ in range(MAX_SEGMENTS):
            file.seek(place)
            head = file.read(16)
            if len(head) < 16 or head[4:8] == b"jp2c":
                break
            length = int.from_bytes(head[:4], "big")
            place += int.from_bytes(head[8:], "big") if length == 1 else max(length, 8)
        place += 16 if head[:4] == b"\0\0\0\1" else 8
    file.seek(place)
    head = file.read(42)
    if len(head) < 42 or head[:4] != _CODE_STREAM:
        raise TooMuchError("a JPEG 2000 without a picture in it")
    right, bottom, left, top, tile_width, tile_height, tiles_left, tiles_top = struct.unpack_from(">8I", head, 8)
    if not tile_width or not tile_height or right <= left or bottom <= top:
        raise TooMuchError("a JPEG 2000 without a size")
    if -(-(right - tiles_left) // tile_width) * -(-(bottom - tiles_top) // tile_height) > MAX_TILES:
        raise TooMuchError("a JPEG 2000 of very many tiles")
    return right - left, bottom - top


def check_pnm(file: IO[bytes]) -> None:
    """Raises TooMuchError for a long PNM whose numbers are written out."""
    if file.read(2)[1:] in b"123" and file.seek(0, 2) > MAX_WRITTEN_BYTES:
        raise TooMuchError(f"a PNM in letters with more than {MAX_WRITTEN_BYTES // 2**20} MB")
