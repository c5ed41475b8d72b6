"""Drawn faces turned, scaled and put somewhere on a cluttered picture, with their true landmarks."""

from typing import NamedTuple

import numpy as np
from facezoo.datasets.procedural import LANDMARK_NAMES, procedural_faces
from PIL import Image, ImageDraw

FACE_SIZE, SIZE = 256, 512
EYES = [
    [number for number, name in enumerate(LANDMARK_NAMES) if name.startswith(f"{side}_eye")]
    for side in ("right", "left")  # the person's, so from left to right
]


class Placed(NamedTuple):
    """A picture, and the middles of its face's eyes in pixels, the left one first: [2, 2]."""

    picture: Image.Image
    eyes: np.ndarray


def clutter(numbers: np.random.Generator, size: int = SIZE) -> Image.Image:
    """Shapes in all colours, one over the other."""
    image = Image.new("RGB", (size, size), tuple(numbers.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(80):
        (left, top), (width, height) = numbers.uniform(-50, size, 2), numbers.uniform(10, 160, 2)
        shape = draw.rectangle if numbers.random() < 0.5 else draw.ellipse
        shape((left, top, left + width, top + height), fill=tuple(numbers.integers(0, 256, 3).tolist()))
    return image


def save_people(folder) -> list[Placed]:
    """Writes 0.png and 1.png, each with a face that a detector finds, and nobody.png without one."""
    folder.mkdir()
    people = placed_faces([10, 30], degrees=10, scales=(0.9, 1.0))
    for number, placed in enumerate(people):
        placed.picture.save(folder / f"{number}.png")
    clutter(np.random.default_rng(1)).save(folder / "nobody.png")
    return people


def placed_faces(positions, degrees: float = 30.0, scales: tuple[float, float] = (0.4, 1.4)) -> list[Placed]:
    """Faces of the test split, each wholly on a picture of its own."""
    examples = procedural_faces("test", image_size=FACE_SIZE).load(np.asarray(positions))
    return [
        _placed(np.random.default_rng(int(position)), face, landmarks, degrees, scales)
        for position, face, landmarks in zip(positions, examples["image"], examples["landmarks"], strict=True)
    ]


def _placed(numbers, face, landmarks, degrees, scales) -> Placed:
    angle, scale = np.radians(numbers.uniform(-degrees, degrees)), np.exp(numbers.uniform(*np.log(scales)))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    reach = np.abs(turn).sum(axis=1) * FACE_SIZE / 2
    low, high = np.minimum(reach, SIZE / 2), np.maximum(SIZE - reach, SIZE / 2)
    shift = numbers.uniform(low, high) - turn @ (FACE_SIZE / 2, FACE_SIZE / 2)
    inverse = np.linalg.inv(turn)
    coefficients = np.column_stack([inverse, -inverse @ shift]).reshape(-1)
    small = Image.fromarray(face), Image.new("L", (FACE_SIZE, FACE_SIZE), 255)
    moved, mask = (
        image.transform((SIZE, SIZE), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC) for image in small
    )
    picture = clutter(numbers)
    picture.paste(moved, mask=mask)
    points = landmarks * FACE_SIZE @ turn.T + shift
    return Placed(picture, np.stack([points[eye].mean(axis=0) for eye in EYES]))
