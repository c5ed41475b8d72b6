"""Sheets of pictures: grids and rows, labels under or above them, dots on them, thumbnails."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

DOTS = {False: "lime", True: "blue"}  # by whether it is light below


def to_uint8(pictures: np.ndarray) -> np.ndarray:
    """[..., C] in [0, 1] -> uint8 of the same shape, rounded; uint8 stays as it is.

    >>> to_uint8(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 128, 255]
    """
    if pictures.dtype == np.uint8:
        return pictures
    return np.rint(np.clip(pictures, 0.0, 1.0) * 255.0).astype(np.uint8)


def grid(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Row after row of pictures, empty places white: [N, H, W, C] -> uint8 [rows * H, columns * W, C].

    >>> grid(np.zeros((3, 8, 8, 3)), 2).shape
    (16, 16, 3)
    """
    pictures = to_uint8(np.asarray(pictures))
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    blank = np.full((rows * columns - count, height, width, channels), 255, np.uint8)
    sheet = np.concatenate([pictures, blank]).reshape(rows, columns, height, width, channels)
    return sheet.swapaxes(1, 2).reshape(rows * height, columns * width, channels)


def row(pictures: np.ndarray) -> np.ndarray:
    """[N, H, W, C] -> uint8 [H, N * W, C].

    >>> row(np.zeros((3, 8, 8, 3))).shape
    (8, 24, 3)
    """
    return grid(pictures, len(pictures))


def with_dots(pictures: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pictures in colour with small dots on them: [N, H, W, C], points [N, L, 2] (x, y in sides) -> uint8 [N, H, W, 3].

    A dot is bright where the picture is dark and dark where it is light; one outside of its picture is not drawn.
    """
    return np.stack([_draw_dots(picture, own) for picture, own in zip(pictures, points, strict=True)])


def draw_labelled_sheet(
    pictures: np.ndarray,
    labels: Sequence[str],
    columns: int,
    label_lines: int,
    font_size: int = 9,
    is_above: bool = False,
) -> np.ndarray:
    """A grid with some lines of text under each picture, or above it: [N, H, W, C] -> uint8 [..., ..., 3].

    A line that is wider than a picture goes on along the next ones of its row while these have none there, and is cut.
    """
    line_height = font_size + 2
    text_height = label_lines * line_height + 4
    cells = np.stack([_add_space(picture, text_height, is_above) for picture in pictures])
    sheet = Image.fromarray(grid(cells, columns))
    height, width = cells.shape[1:3]
    for number in range(label_lines):
        lines = [label.splitlines()[number] if number < len(label.splitlines()) else "" for label in labels]
        for place, line in enumerate(lines):
            if line:
                text = Image.new("L", (_reach(lines, place, columns) * width, text_height))
                ImageDraw.Draw(text).text((2, 1 + number * line_height), line, fill=255, font_size=font_size)
                row, column = divmod(place, columns)
                top = row * height + (0 if is_above else height - text_height)
                sheet.paste((0, 0, 0), (column * width, top), text)
    return np.asarray(sheet)


def _reach(lines: Sequence[str], place: int, columns: int) -> int:
    """How many cells of its row a line has for itself: its own and those after it that have none."""
    after = lines[place + 1 : (place // columns + 1) * columns]
    return 1 + next((number for number, line in enumerate(after) if line), len(after))


def as_image(picture: np.ndarray) -> Image.Image:
    """[H, W, C] in [0, 1] or uint8 as a picture of Pillow's, gray where C is 1."""
    array = to_uint8(np.asarray(picture))
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def _draw_dots(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    image = as_image(picture).convert("RGB")
    gray, draw = np.asarray(image.convert("L")), ImageDraw.Draw(image)
    side = max(1, round(image.width / 128))
    for column, row in np.floor(points * image.size - (side - 1) / 2).astype(int).tolist():
        is_light = gray[np.clip(row, 0, image.height - 1), np.clip(column, 0, image.width - 1)] > 127
        draw.rectangle((column, row, column + side - 1, row + side - 1), fill=DOTS[is_light])
    return np.asarray(image)


def _add_space(picture: np.ndarray, height: int, is_above: bool) -> np.ndarray:
    """The picture in colour, with white below or above it."""
    image = as_image(picture).convert("RGB")
    cell = Image.new("RGB", (image.width, image.height + height), "white")
    cell.paste(image, (0, height if is_above else 0))
    return np.asarray(cell)


THUMBNAIL = 64


def thumbnails(images: np.ndarray, most: int = THUMBNAIL) -> np.ndarray:
    """Pictures no larger than so many pixels: uint8 [N, S, S, C] -> [N, s, s, C]."""
    if images.shape[1] <= most:
        return images
    small = [Image.fromarray(image.squeeze()).resize((most, most), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image) for image in small]).reshape(len(images), most, most, -1)


def resize(pictures: np.ndarray, size: int) -> np.ndarray:
    """Square pictures at another size, by a smooth filter: [N, S, S, C] -> uint8 [N, size, size, C].

    >>> resize(np.zeros((2, 8, 8, 3), np.uint8), 16).shape
    (2, 16, 16, 3)
    """
    images = [as_image(picture).resize((size, size), Image.Resampling.LANCZOS) for picture in pictures]
    return np.stack([np.asarray(image) for image in images]).reshape(len(images), size, size, -1)
