"""Pictures of faces as batches of dicts; `DATASETS` is the whole list."""

from collections.abc import Callable

from .clip_folder import clips
from .clips import procedural_clips, procedural_frames
from .digits import digits
from .folder import folder
from .packed import packed
from .procedural import procedural_faces, procedural_people
from .source import Source
from .tfds import celeb_a, lfw, mnist

DATASETS: dict[str, Callable[..., Source]] = {
    "procedural_faces": procedural_faces,
    "procedural_people": procedural_people,
    "procedural_clips": procedural_clips,
    "procedural_frames": procedural_frames,
    "clips": clips,
    "folder": folder,
    "packed": packed,
    "celeb_a": celeb_a,
    "lfw": lfw,
    "mnist": mnist,
    "digits": digits,
}
