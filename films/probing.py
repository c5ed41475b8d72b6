"""What a film is, as ffmpeg tells it: how large, how fast, how long, and whether it has sound."""

import dataclasses
import functools
import re
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from absl import logging

from .. import pictures

# What a film may be called in; a playlist, whose files may be others' or lie on a network, is none.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif,apng,mxf,ivf,h264,hevc"
ENDINGS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".flv", ".ogv"),
    *(".wmv", ".3gp", ".mxf", ".gif"),
)
MOST_PIXELS = 7680 * 4320  # of a frame
SLOWEST, FASTEST = Fraction(1, 100), Fraction(240)  # frames a second
USUAL = Fraction(25)  # of a film that tells no rate
# How ffmpeg writes rates whose fractions it rounds.
ROUNDED = {f"{number * 1000 / 1001:.2f}": Fraction(number * 1000, 1001) for number in (24, 30, 48, 60, 120)}
SECONDS_TO_PROBE = 60


class FilmError(OSError):
    """A film cannot be read or written; the message names it and says why."""


@dataclasses.dataclass(frozen=True)
class Film:
    """A film in a file.

    Attributes:
      path: of the file.
      frames_per_second: at which its frames are read: the mean rate of one whose rate varies.
      seconds: that it lasts; None where it does not tell.
      sound: how its first track of sound is coded, as ffmpeg calls it; None where it has none.
      pixel_width: of a pixel by its height, where they are no squares.
      read: gives its frames from one on, where it is no file; else `read_frames` has ffmpeg read them.
    """

    path: Path
    frames_per_second: Fraction
    seconds: float | None
    sound: str | None
    pixel_width: Fraction = Fraction(1)
    read: Callable[[int], Iterator[np.ndarray]] | None = None

    @property
    def num_frames(self) -> int | None:
        """About how many frames it has."""
        return None if self.seconds is None else max(1, round(self.seconds * self.frames_per_second))

    @property
    def has_sound(self) -> bool:
        """Whether it has a track of sound."""
        return bool(self.sound)

    def at(self, path: Path) -> "Film":
        """The same film by another name."""
        return dataclasses.replace(self, path=path)


def is_film(path: Path) -> bool:
    """Whether a file is called as films are."""
    return path.suffix.lower() in ENDINGS and path.is_file()


def probe(path: Path) -> Film:
    """Looks at a film.

    Raises:
      FilmError: there is no such file, ffmpeg finds no pictures in it, or they are too large.
    """
    if not path.is_file():
        raise FilmError(f"{path} is {'no file' if path.exists() else 'not there'}")
    command = (find_ffmpeg(), "-hide_banner", *name_input(path))
    try:
        told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS_TO_PROBE)
    except subprocess.TimeoutExpired as error:
        raise FilmError(f"{path}: ffmpeg does not find out in a minute what it is") from error
    lines = told.stderr.decode(errors="replace").splitlines()
    streams = [line for line in lines if re.match(r"\s+Stream #\d+:\d+", line) and "(attached pic)" not in line]
    video = next((line for line in streams if ": Video: " in line), None)
    if video is None:
        raise FilmError(f"{path} is no film that ffmpeg can read: {_find_reason(lines, streams)}")
    size = re.search(r", (\d+)x(\d+)", video)
    if size is None or not 0 < int(size[1]) * int(size[2]) <= MOST_PIXELS:
        raise FilmError(f"{path} has frames of {f'{size[1]}x{size[2]}' if size else 'no'} pixels: at most 7680x4320")
    shapes = re.findall(r"\bSAR (\d+):(\d+)", video)  # the codec's, and after it the container's, which counts
    across, up = map(int, shapes[-1]) if shapes else (1, 1)
    return Film(
        path,
        _find_rate(path, video),
        _find_seconds(lines),
        next((found[1] for line in streams if (found := re.search(r": Audio: (\w+)", line))), None),
        Fraction(across, up) if across and up else Fraction(1),
    )


@functools.cache
def find_ffmpeg() -> str:
    """The program's path.

    Raises:
      FilmError: there is none.
    """
    try:
        return pictures.find_ffmpeg()
    except OSError as error:
        raise FilmError(str(error)) from error


def name_input(path: Path) -> tuple[str, ...]:
    """What ffmpeg is told to read a file of one of `FORMATS`, and nothing that it may lead to."""
    return "-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-i", f"file:{path}"


def _find_rate(path: Path, video: str) -> Fraction:
    """The rate that a film tells, or the nearest one at which it is read."""
    told: list[Fraction] = []
    for unit in ("fps", "tbr"):
        found = re.search(rf"([\d.]+)(k?) {unit}\b", video)
        if found:
            rate = ROUNDED.get(found[1]) or Fraction(found[1]) * (1000 if found[2] else 1)
            if SLOWEST <= rate <= FASTEST:
                return rate
            told.append(rate)
    if not any(told):
        return USUAL
    nearest = FASTEST if told[0] > FASTEST else SLOWEST
    logging.warning("%s has %g frames a second: it is read at %g", path, told[0], nearest)
    return nearest


def _find_seconds(lines: list[str]) -> float | None:
    for line in lines:
        found = re.match(r"\s+Duration: (\d+):(\d+):([\d.]+)", line)
        if found:
            return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3])
    return None


def _find_reason(lines: list[str], streams: list[str]) -> str:
    if any(": Audio: " in line for line in streams):
        return "it has sound, but no pictures"
    told = [line for line in lines if "rror" in line or "nvalid" in line or "denied" in line]
    return told[0].rpartition(": ")[2].rstrip(".") if told else "it has no pictures"
