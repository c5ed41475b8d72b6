"""Pictures and films as files; each says which facezoo made it."""

import subprocess
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, PngImagePlugin

from .. import __version__, files
from .sheets import as_image, to_uint8

SOFTWARE = f"facezoo {__version__}"
SMALL_FILM = 256  # pixels
PALETTE_FRAMES = 8  # that the colours of a GIF are taken from
COMPRESSION = 3  # of PNG: a third of the time of Pillow's 6, and files 6 % larger
FILM_QUALITY = "18"  # x264's constant rate factor: 0 is lossless, 18 hard to tell from it, 51 the worst


def save_png(path: Path | IO[bytes], picture: np.ndarray, description: str) -> None:
    """Writes [H, W, C] in [0, 1] or uint8 to a path or an open file; its metadata has `Software` and `Description`."""
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Software", SOFTWARE)
    metadata.add_itxt("Description", _as_utf_8(description).decode())
    as_image(picture).save(path, format="PNG", pnginfo=metadata, compress_level=COMPRESSION)


def save_named(folder: Path, name: str, picture: np.ndarray, description: str) -> Path:
    """Writes what was made of the picture `name`, below a folder and under `files.name_result`; returns the path."""
    path = folder / files.name_result(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_png(path, picture, description)
    return path


def there_and_back(frames: np.ndarray) -> np.ndarray:
    """A film [N, ...] that goes back from its last frame to its second one, so that it repeats itself smoothly.

    >>> there_and_back(np.array([0, 1, 2])).tolist()
    [0, 1, 2, 1]
    """
    return np.concatenate([frames, frames[-2:0:-1]])


def save_gif(path: Path, frames: np.ndarray, description: str, frames_per_second: float = 10.0) -> None:
    """Writes [N, H, W, C] as an endless animation; the comment says what made it."""
    first, *rest = _reduce_colours([as_image(frame) for frame in frames])
    first.save(
        path,
        save_all=True,
        append_images=rest,
        duration=round(1000 / frames_per_second),
        loop=0,
        comment=tell_maker(description).encode(),
    )


def _reduce_colours(frames: list[Image.Image]) -> list[Image.Image]:
    """Large frames in colour by the 256 that suit all of them best, which is quicker than each by its own."""
    if frames[0].mode == "L" or min(frames[0].size) < SMALL_FILM:
        return frames
    some = frames[:: max(1, len(frames) // PALETTE_FRAMES)]
    side = SMALL_FILM // 2
    sheet = Image.new("RGB", (side * len(some), side))
    for number, frame in enumerate(some):
        sheet.paste(frame.resize((side, side)), (number * side, 0))
    palette = sheet.quantize(256)
    return [frame.quantize(palette=palette) for frame in frames]


def save_mp4(path: Path, frames: np.ndarray, description: str, frames_per_second: float = 10.0) -> None:
    """Writes [N, H, W, C] as a film in H.264 that every browser plays, whole or not at all.

    Two by two of its pixels share a colour, so frames whose shorter side has less than 256 pixels are enlarged by a
    whole number, as long as it does not get more, and stay crisp; an odd side gets its last row or column twice. The
    comment says what made it.

    Raises:
      OSError: it cannot be written.
    """
    ffmpeg = find_ffmpeg()
    enlarged = max(1, SMALL_FILM // min(frames.shape[1:3]))
    film = np.stack([_film_frame(frame, enlarged) for frame in frames])
    size = f"{film.shape[2]}x{film.shape[1]}"
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(frames_per_second), "-i", "-")
    coded = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", FILM_QUALITY, "-movflags", "faststart")
    said = ("-metadata", f"comment={tell_maker(description)}")
    try:
        with files.whole_file(path.absolute()) as partial:
            command = (ffmpeg, "-v", "error", "-y", *given, *coded, *said, "-f", "mp4", f"file:{partial}")
            done = subprocess.run(command, input=film.tobytes(), capture_output=True, check=False)
            if done.returncode != 0:
                raise OSError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error


def find_ffmpeg() -> str:
    """The program that writes films.

    Raises:
      OSError: there is none.
    """
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        return get_ffmpeg_exe()
    except RuntimeError as error:
        way = "pip install --force-reinstall imageio-ffmpeg, or name one in IMAGEIO_FFMPEG_EXE"
        raise OSError(f"there is no ffmpeg: {way}") from error


def _film_frame(frame: np.ndarray, enlarged: int) -> np.ndarray:
    """[H, W, C] -> uint8 [even, even, 3]."""
    large = to_uint8(np.asarray(frame)).repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    even = np.pad(large, ((0, large.shape[0] % 2), (0, large.shape[1] % 2), (0, 0)), mode="edge")
    return np.broadcast_to(even, (*even.shape[:2], 3))


def tell_maker(description: str) -> str:
    """What a film's comment says: which facezoo made it, and what it shows."""
    return f"{SOFTWARE}: {_as_utf_8(description).decode()}"


def _as_utf_8(description: str) -> bytes:
    """A description may hold a file's name, which may be made of any bytes."""
    return description.encode("utf-8", "backslashreplace")
