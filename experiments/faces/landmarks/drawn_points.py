"""The face network: 70 points of a drawn face, which fills its picture as drawn ones do."""

from typing import ClassVar

import numpy as np
from PIL import Image

from ....datasets import photographs
from ...backend import as_array, load_tensorflow
from ...errors import UsageError


class DrawnPoints:
    """iBUG's 68 points and both pupils, read by the network that ships. It knows drawn faces only."""

    scheme: ClassVar[str] = "drawn"
    takes_lying_for_upright: ClassVar[bool] = False

    def __init__(self, model: str | None = None):
        load_tensorflow()
        from ....models.pretrained import load_pretrained

        try:
            self.network = load_pretrained("face_features")
        except ValueError as error:
            raise UsageError(f"the face network cannot be loaded: {error}") from error

    def close(self) -> None:
        """There is nothing to end."""

    def faces(self, photograph: Image.Image, closely: bool = False) -> list[np.ndarray]:
        """The face in the centre square of a picture, whatever it shows: one of [70, 2], (x, y) in its pixels."""
        left, top, right, _ = photographs.crop_box(photograph.size)
        small = photographs.fit(photograph, self.network.image_size).astype(np.float32) / 255.0
        points = as_array(self.network({"image": small[None]}, training=False)["landmarks"])[0]
        return [points.astype(np.float64) * (right - left) + (left, top)]
