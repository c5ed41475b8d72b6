"""A photograph from anybody, read in a process that ends in time, whatever its file does to the decoder."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from PIL import Image

from . import photographs, picture_bounds
from .photographs import MAX_PIXELS, DamagedPictureError
from .processes import start_function

MOST_SECONDS = 20.0
MOST_MEMORY = 4 * 2**30  # bytes, of addresses


class ReaderProcess:
    """Reads photographs from others, each in a process of its own; those of several threads side by side.

    Args:
      most_seconds: that one may take.
    """

    def __init__(self, most_seconds: float = MOST_SECONDS):
        self.most_seconds = most_seconds
        self._running: set[subprocess.Popen] = set()

    def read(self, file: str | os.PathLike[str] | IO[bytes], max_pixels: int = MAX_PIXELS) -> Image.Image:
        """What `photographs.read` reads from a stranger.

        Raises:
          DamagedPictureError: as there, or it takes too much time or memory.
        """
        try:
            data = _read_bytes(file)
        except OSError as error:
            raise DamagedPictureError((error.strerror or str(error)).lower()) from error
        except picture_bounds.TooMuchError as error:
            raise DamagedPictureError(str(error)) from error
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = start_function(__name__, "_work", str(max_pixels), **streams)
        self._running.add(process)
        try:
            said, _ = process.communicate(data, self.most_seconds)
        except subprocess.TimeoutExpired as error:
            raise DamagedPictureError(f"it takes more than {self.most_seconds:g} seconds to read") from error
        finally:
            with contextlib.suppress(OSError):
                process.kill()
            process.communicate()
            self._running.discard(process)
        return _picture_in(said)

    def close(self) -> None:
        """Ends those that still read."""
        for process in tuple(self._running):
            process.kill()


def _read_bytes(file: str | os.PathLike[str] | IO[bytes]) -> bytes:
    if isinstance(file, str | os.PathLike):
        with photographs.open_regular(Path(file)) as regular:
            return _read_bytes(regular)
    data = file.read(picture_bounds.MAX_BYTES + 1)
    picture_bounds.check_size(len(data))
    return data


def _work() -> None:
    """What a started process does: writes a line that says what it has found, then the pixels."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # where the system does not know limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        picture = photographs.read(io.BytesIO(sys.stdin.buffer.read()), int(sys.argv[1]), is_from_stranger=True)
    except DamagedPictureError as error:
        _say({"damage": str(error)})
    else:
        _say({"size": picture.size}, picture.tobytes())


def _say(head: dict[str, object], pixels: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + pixels)


def _picture_in(said: bytes) -> Image.Image:
    head, newline, pixels = said.partition(b"\n")
    if not newline:
        raise DamagedPictureError("the process that read it died")
    found = json.loads(head)
    if "damage" in found:
        raise DamagedPictureError(found["damage"])
    return Image.frombytes("RGB", found["size"], pixels)
