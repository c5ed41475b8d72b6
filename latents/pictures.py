"""The old place of `facezoo.pictures`: the import still works, with a warning."""

import warnings

from ..pictures import *  # noqa: F403
from ..pictures import draw_labelled_sheet as labelled_sheet  # noqa: F401
from ..pictures import resize as resized  # noqa: F401

warnings.warn("facezoo.latents.pictures is facezoo.pictures now", DeprecationWarning, stacklevel=2)
