"""The old place of `facezoo.pictures`: the import still works, with a warning."""

import warnings

from ..pictures import *  # noqa: F403

warnings.warn("facezoo.latents.pictures is facezoo.pictures now", DeprecationWarning, stacklevel=2)
