"""Films as files: what they are, their frames one after the other, and films written frame by frame."""

from .parts import Parts
from .probing import Film, FilmError, is_film, probe
from .reading import count_frames, read_frames
from .writing import FilmWriter

__all__ = ["Film", "FilmError", "FilmWriter", "Parts", "count_frames", "is_film", "probe", "read_frames"]
