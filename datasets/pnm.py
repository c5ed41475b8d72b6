"""The plain files of Netpbm: PBM, PGM and PPM, of 8 or 16 bits. Pillow 12 reads most of them by loops in Python."""

import re
from typing import IO

import numpy as np
from PIL import Image

_MOST_HEAD = 65_536  # bytes
_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEAD = re.compile(rb"P([1-6])" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})")
_MAXIMUM = re.compile(_SPACE + rb"(\d{1,5})")
_END = re.compile(rb"(?:#[^\n\r]*[\n\r])*\s")  # one space; what follows are pixels


class PnmFile:
    """A file of https://netpbm.sourceforge.net/doc/pnm.html, of which the head is read.

    Attributes:
      size: width and height.

    Raises:
      ValueError: the head is damaged.
    """

    def __init__(self, file: IO[bytes]):
        head = file.read(_MOST_HEAD)
        found = _HEAD.match(head)
        if not found:
            raise ValueError("a PNM without a size")
        self._kind, width, height = (int(number) for number in found.groups())
        self.size, self._maximum, end = (width, height), 1, found.end()
        if self._kind not in (1, 4):
            maximum = _MAXIMUM.match(head, end)
            self._maximum, end = (int(maximum[1]), maximum.end()) if maximum else (0, end)
        space = _END.match(head, end)
        if not space or not 0 < self._maximum < 2**16 or not width * height:
            raise ValueError("a PNM without a size")
        file.seek(space.end())
        self._file = file

    def picture(self) -> Image.Image:
        """Gray or RGB of 8 bits, by rounding.

        Raises:
          ValueError: there are too few pixels.
        """
        (width, height), channels = self.size, 3 if self._kind in (3, 6) else 1
        if self._kind in (1, 4):
            values = 1 - (self._bits(width, height) if self._kind == 4 else self._digits(width * height))
        else:
            values = (self._numbers if self._kind in (5, 6) else self._words)(width * height * channels)
        if values.size < width * height * channels:
            raise ValueError("the file is truncated")
        levels = ((np.arange(self._maximum + 1) * 255 + self._maximum // 2) // self._maximum).astype(np.uint8)
        pixels = levels[np.minimum(values, self._maximum)].reshape(height, width, channels)
        return Image.fromarray(pixels if channels == 3 else pixels[..., 0])

    def _bits(self, width: int, height: int) -> np.ndarray:
        row = -(-width // 8)
        data = np.frombuffer(self._file.read(row * height), np.uint8)
        whole = data[: len(data) // row * row].reshape(-1, row)
        return np.unpackbits(whole, axis=1)[:, :width].reshape(-1)

    def _digits(self, count: int) -> np.ndarray:
        letters = np.frombuffer(self._without_comments(), np.uint8)
        return letters[(letters == ord("0")) | (letters == ord("1"))][:count] - ord("0")

    def _numbers(self, count: int) -> np.ndarray:
        kind = np.dtype(np.uint8 if self._maximum < 256 else ">u2")
        data = self._file.read(count * kind.itemsize)
        return np.frombuffer(data, kind, len(data) // kind.itemsize)

    def _words(self, count: int) -> np.ndarray:
        text = self._without_comments()
        if re.search(rb"[^\d\s]", text):
            raise ValueError("a PNM of other letters than digits")
        return np.fromstring(text, np.int32, count, sep=" ")

    def _without_comments(self) -> bytes:
        return re.sub(rb"#[^\n\r]*", b"", self._file.read())
