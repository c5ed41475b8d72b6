"""Films written frame by frame, in parts, so that one that was stopped goes on where it was."""

import contextlib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from absl import logging

from .. import files
from ..pictures.files import FILM_QUALITY, tell_maker
from .parts import LIST, Parts
from .probing import Film, FilmError, find_ffmpeg, name_input

PART_FRAMES = 24
PLAYED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")  # codecs of sound that players know in an MP4
# Of every part alike, for they are joined as they are; without frames that are told by later ones, which would shift
# the beginning of each.
CODED = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", FILM_QUALITY, "-bf", "0")


class FilmWriter:
    """Writes a film with the rate and the sound of another one.

    >>> writer = FilmWriter(Path("film.mp4"), source, "key-of-the-command")
    >>> writer.write(make_frames(first=writer.num_done), "what it shows")

    Args:
      path: of the film, an MP4 in H.264.
      source: whose rate, length and sound it has.
      key: names what is made, as a hash of all that it depends on: parts under another key are another film's.

    Attributes:
      num_done: frames of an earlier try that need not be made again.
      kept: where they are, and what else is to be known of them.
    """

    def __init__(self, path: Path, source: Film, key: str):
        self.path, self.source = path, source
        self.kept = Parts(path, key)
        self.folder = self.kept.folder
        self._parts = self._find_parts()
        self.num_done = PART_FRAMES * len(self._parts)

    def write(self, frames: Iterable[np.ndarray], description: str) -> int:
        """Writes all frames from number `num_done` on, and then the film whole.

        Args:
          frames: uint8 [H, W, 3], all of one size; an odd side gets its last row or column twice.
          description: what the film says of itself in its metadata.

        Returns:
          the number of its frames.

        Raises:
          FilmError: it cannot be written; parts that are ready stay, for the next try.
        """
        with self.kept.hold(), files.name_full_disk(self.path):
            if self._find_parts() != self._parts:
                raise FilmError(f"{self.path} is being made by another process: wait for it, or give the command again")
            count = self.num_done
            for part in _take(frames, PART_FRAMES):
                count += self._write_part(part)
            if not count:
                raise FilmError(f"{self.path}: there are no frames to write")
            self._join(description)
            self.kept.clear()
        return count

    def ends_part(self, number: int) -> bool:
        """Whether a part is ready with a frame."""
        return (number + 1) % PART_FRAMES == 0

    def _find_parts(self) -> list[Path]:
        """Parts of an earlier try, as far as none is missing; the last of a whole film, which is shorter, is none."""
        found: list[Path] = []
        while (part := self._name_part(len(found), PART_FRAMES)).is_file():
            found.append(part)
        return found

    def _name_part(self, number: int, count: int) -> Path:
        return self.folder / f"{number:06d}-{count}.mp4"

    def _write_part(self, frames: Iterator[np.ndarray]) -> int:
        """Encodes up to `PART_FRAMES`; a part has its name once it is whole. Returns how many there were."""
        first = next(frames)
        height, width = (side + side % 2 for side in first.shape[:2])
        rate = self.source.frames_per_second
        unnamed = self.folder / f"{len(self._parts):06d}.mp4"
        given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}")
        timed = ("-r", f"{rate.numerator}/{rate.denominator}", "-i", "-")
        count = 0
        with files.whole_file(unnamed) as partial:
            command = (find_ffmpeg(), "-v", "error", "-y", *given, *timed, *CODED, "-f", "mp4", f"file:{partial}")
            with _piped(command, self.path) as pipe:
                for frame in _chain(first, frames):
                    pipe.write(_make_even(frame).tobytes())
                    count += 1
        self._parts.append(unnamed.replace(self._name_part(len(self._parts), count)))
        return count

    def _join(self, description: str) -> None:
        """The parts as one film, with its sound: as it is where players of MP4 know its codec, else encoded anew."""
        listed = self.folder / LIST  # which names them as they are called in the folder
        listed.write_text("".join(f"file '{part.name}'\n" for part in self._parts), encoding="utf-8")
        parts = ("-f", "concat", "-safe", "0", "-i", listed.name)
        said = ("-metadata", f"comment={tell_maker(description)}", "-movflags", "faststart")
        ways: list[tuple[str, ...]] = [("-map", "0:v:0")]
        if self.source.has_sound:
            both = (*name_input(self.source.path.absolute()), "-map", "0:v:0", "-map", "1:a:0")
            ways = [(*both, "-c:a", "aac"), *ways]
            if self.source.sound in PLAYED:
                ways = [(*both, "-c:a", "copy"), *ways]
        with files.whole_file(self.path.absolute(), is_new=True) as partial:
            for way in ways:
                options = (*parts, *way, "-c:v", "copy", *said, "-f", "mp4", f"file:{partial}")
                command = (find_ffmpeg(), "-v", "error", "-nostdin", "-y", *options)
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, cwd=self.folder)
                if not done.returncode:
                    if self.source.has_sound and way is ways[-1]:
                        logging.warning("%s has no sound: that of %s cannot be read", self.path, self.source.path)
                    return
            raise _blame(self.path, done.stderr)


@contextlib.contextmanager
def _piped(command: tuple[str, ...], path: Path) -> Iterator[IO[bytes]]:
    """Yields where frames are written to; the program has ended well when the block has."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    pipe, messages = process.stdin, process.stderr
    assert pipe and messages
    try:
        with contextlib.suppress(BrokenPipeError):  # which its message tells of
            yield pipe
            pipe.close()
        told = messages.read()
        if process.wait():
            raise _blame(path, told)
    finally:
        process.kill()
        with contextlib.suppress(BrokenPipeError):  # what it has not been given yet
            pipe.close()
        messages.close()
        process.wait()


def _blame(path: Path, told: bytes) -> FilmError:
    lines = told.decode(errors="replace").strip().splitlines()
    return FilmError(f"{path} cannot be written: {lines[-1] if lines else 'ffmpeg failed'}")


def _take(frames: Iterable[np.ndarray], count: int) -> Iterator[Iterator[np.ndarray]]:
    """Frames in groups of up to so many; each is gone through before the next."""
    rest = iter(frames)
    for first in rest:
        yield _chain(first, (frame for _, frame in zip(range(count - 1), rest, strict=False)))


def _chain(first: np.ndarray, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from frames


def _make_even(frame: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] with even sides, as H.264 wants them."""
    height, width, _ = frame.shape
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
