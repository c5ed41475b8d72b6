"""The frames of a film, one after the other."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from typing import IO

import numpy as np
from absl import logging

from .probing import MOST_PIXELS, Film, FilmError, find_ffmpeg, name_input


def read_frames(film: Film, first: int = 0) -> Iterator[np.ndarray]:
    """Yields frames as they are shown: upright, in square pixels, in RGB of 8 bits, and at one rate.

    Frames of a film whose rate varies are repeated or left out, so that all of it takes its time and its sound stays in
    step. Of a film that is cut or damaged those frames come that are there, and a warning says what is wrong. Memory
    holds one frame at a time.

    Args:
      film: as `probe` has found it.
      first: the number of the first frame that is wanted, from 0.

    Yields:
      uint8 [H, W, 3], all of one size.

    Raises:
      FilmError: not one frame can be read, or ffmpeg was stopped.
    """
    if film.read:
        yield from film.read(first)
        return
    rate = f"{film.frames_per_second.numerator}/{film.frames_per_second.denominator}"
    squares = ("-vf", "scale=trunc(iw*sar+0.5):ih,setsar=1") if film.pixel_width != Fraction(1) else ()
    shown = (
        "-map",
        "0:V:0",  # no picture of a cover
        *squares,
        "-fps_mode",
        "cfr",
        "-r",
        rate,
        "-pix_fmt",
        "rgb24",
        "-f",
        "image2pipe",
        "-c:v",
        "ppm",
        "-",
    )
    command = (find_ffmpeg(), "-v", "error", "-nostdin", *name_input(film.path), *shown)
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told)
        stream = process.stdout
        assert stream
        count = 0
        try:
            while (frame := _read_ppm(stream)) is not None:
                count += 1
                if count > first:
                    yield frame
            stream.close()
            process.wait()
        finally:
            process.kill()
            stream.close()
            process.wait()
        told.seek(0)
        errors = told.read(10_000).decode(errors="replace").strip().splitlines()
    if not count:
        raise FilmError(f"{film.path}: no frame can be read{f': {errors[-1]}' if errors else ''}")
    if process.returncode in (-signal.SIGKILL, -signal.SIGTERM):  # of a damaged film it ends by itself
        raise FilmError(f"{film.path}: ffmpeg was stopped by signal {-process.returncode} after {count} frames")
    if errors or process.returncode:
        logging.warning("%s is damaged or cut: %d frames of it are read", film.path, count)


def count_frames(film: Film) -> int:
    """How many frames `read_frames` gives, which only reading tells: a film's length may be its sound's, or absent.

    Raises:
      FilmError: not one frame can be read, or ffmpeg was stopped.
    """
    return sum(1 for _ in read_frames(film))


def _read_ppm(stream: IO[bytes]) -> np.ndarray | None:
    """The next picture of a stream of binary PPM, uint8 [H, W, 3]; None at its end, or where it breaks off."""
    if stream.readline().strip() != b"P6":
        return None
    width, height = map(int, stream.readline().split())
    if width * height > MOST_PIXELS:
        raise FilmError(f"a frame of {width}x{height} pixels is too large: at most {MOST_PIXELS:,} are read")
    stream.readline()  # the largest value, 255
    pixels = stream.read(3 * width * height)
    if len(pixels) < 3 * width * height:
        return None
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
