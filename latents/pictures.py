"""Pictures as files and as one sheet; each file says which facezoo made it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from .. import __version__, files

SOFTWARE = f"facezoo {__version__}"
DOTS = {False: "lime", True: "blue"}  # by whether it is light below
SMALL_FILM = 256  # pixels
FILM_QUALITY = "18"  # x264's constant rate factor: 0 is lossless, 18 hard to tell from it, 51 the worst


def to_uint8(pictures: np.ndarray) -> np.ndarray:
    """[..., C] in [0, 1] -> uint8 of the same shape, rounded; uint8 stays as it is."""
    if pictures.dtype == np.uint8:
        return pictures
    return np.rint(np.clip(pictures, 0.0, 1.0) * 255.0).astype(np.uint8)


def grid(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Row after row of pictures, empty places white: [N, H, W, C] -> uint8 [rows * H, columns * W, C]."""
    pictures = to_uint8(np.asarray(pictures))
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    blank = np.full((rows * columns - count, height, width, channels), 255, np.uint8)
    sheet = np.concatenate([pictures, blank]).reshape(rows, columns, height, width, channels)
    return sheet.swapaxes(1, 2).reshape(rows * height, columns * width, channels)


def row(pictures: np.ndarray) -> np.ndarray:
    """[N, H, W, C] -> uint8 [H, N * W, C]."""
    return grid(pictures, len(pictures))


def with_dots(pictures: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pictures in colour with small dots on them: [N, H, W, C], points [N, L, 2] (x, y in sides) -> uint8 [N, H, W, 3].

    A dot is bright where the picture is dark and dark where it is light; one outside of its picture is not drawn.
    """
    return np.stack([_dotted(picture, own) for picture, own in zip(pictures, points, strict=True)])


def labelled_sheet(pictures: np.ndarray, labels: Sequence[str], columns: int, label_lines: int) -> np.ndarray:
    """A grid with some lines of text under each picture: [N, H, W, C] -> uint8 [..., ..., 3]."""
    line_height = 11
    cells = [
        _labelled(picture, label, label_lines * line_height + 4)
        for picture, label in zip(pictures, labels, strict=True)
    ]
    return grid(np.stack(cells), columns)


def save_png(path: Path | IO[bytes], picture: np.ndarray, description: str) -> None:
    """Writes [H, W, C] in [0, 1] or uint8 to a path or an open file; its metadata has `Software` and `Description`."""
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Software", SOFTWARE)
    metadata.add_itxt("Description", _as_utf_8(description).decode())
    _image(picture).save(path, format="PNG", pnginfo=metadata)


def there_and_back(frames: np.ndarray) -> np.ndarray:
    """A film [N, ...] that goes back from its last frame to its second one, so that it repeats itself smoothly."""
    return np.concatenate([frames, frames[-2:0:-1]])


def save_gif(path: Path, frames: np.ndarray, description: str, frames_per_second: float = 10.0) -> None:
    """Writes [N, H, W, C] as an endless animation; the comment says what made it."""
    first, *rest = (_image(frame) for frame in frames)
    first.save(
        path,
        save_all=True,
        append_images=rest,
        duration=round(1000 / frames_per_second),
        loop=0,
        comment=_as_utf_8(f"{SOFTWARE}: {description}"),
    )


def save_mp4(path: Path, frames: np.ndarray, description: str, frames_per_second: float = 10.0) -> None:
    """Writes [N, H, W, C] as a film in H.264 that every browser plays, whole or not at all.

    Two by two of its pixels share a colour, so frames whose shorter side has less than 256 pixels are enlarged by a
    whole number, as long as it does not get more, and stay crisp; an odd side gets its last row or column twice. The
    comment says what made it.

    Raises:
      OSError: it cannot be written.
    """
    from imageio_ffmpeg import get_ffmpeg_exe

    enlarged = max(1, SMALL_FILM // min(frames.shape[1:3]))
    film = np.stack([_film_frame(frame, enlarged) for frame in frames])
    size = f"{film.shape[2]}x{film.shape[1]}"
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(frames_per_second), "-i", "-")
    coded = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", FILM_QUALITY, "-movflags", "faststart")
    said = ("-metadata", f"comment={SOFTWARE}: {_as_utf_8(description).decode()}")
    with files.whole_file(path.absolute()) as partial:
        command = (get_ffmpeg_exe(), "-v", "error", "-y", *given, *coded, *said, "-f", "mp4", f"file:{partial}")
        done = subprocess.run(command, input=film.tobytes(), capture_output=True, check=False)
        if done.returncode != 0:
            raise OSError(
                f"{path} cannot be written: {done.stderr.decode(errors='replace').strip().rpartition(chr(10))[2]}"
            )


def _film_frame(frame: np.ndarray, enlarged: int) -> np.ndarray:
    """[H, W, C] -> uint8 [even, even, 3]."""
    large = to_uint8(np.asarray(frame)).repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    even = np.pad(large, ((0, large.shape[0] % 2), (0, large.shape[1] % 2), (0, 0)), mode="edge")
    return np.broadcast_to(even, (*even.shape[:2], 3))


def _as_utf_8(description: str) -> bytes:
    """A description may hold a file's name, which may be made of any bytes."""
    return description.encode("utf-8", "backslashreplace")


def _image(picture: np.ndarray) -> Image.Image:
    array = to_uint8(np.asarray(picture))
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def _dotted(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    image = _image(picture).convert("RGB")
    gray, draw = np.asarray(image.convert("L")), ImageDraw.Draw(image)
    side = max(1, round(image.width / 128))
    for column, row in np.floor(points * image.size - (side - 1) / 2).astype(int).tolist():
        is_light = gray[np.clip(row, 0, image.height - 1), np.clip(column, 0, image.width - 1)] > 127
        draw.rectangle((column, row, column + side - 1, row + side - 1), fill=DOTS[is_light])
    return np.asarray(image)


def _labelled(picture: np.ndarray, label: str, text_height: int) -> np.ndarray:
    image = _image(picture).convert("RGB")
    cell = Image.new("RGB", (image.width, image.height + text_height), "white")
    cell.paste(image)
    ImageDraw.Draw(cell).multiline_text((2, image.height + 1), label, fill="black", font_size=9, spacing=2)
    return np.asarray(cell)
