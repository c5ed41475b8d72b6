"""What is shown: sheets, files, charts, and faces put back into photographs. It knows no model and no data set."""

from .files import SOFTWARE, find_ffmpeg, save_gif, save_mp4, save_named, save_png, there_and_back
from .sheets import as_image, draw_labelled_sheet, grid, resize, row, thumbnails, to_uint8, with_dots

__all__ = [
    "SOFTWARE",
    "as_image",
    "draw_labelled_sheet",
    "find_ffmpeg",
    "grid",
    "resize",
    "row",
    "save_gif",
    "save_mp4",
    "save_named",
    "save_png",
    "there_and_back",
    "thumbnails",
    "to_uint8",
    "with_dots",
]
