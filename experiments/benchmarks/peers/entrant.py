"""What takes part in a contest, and where its training stands."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Entrant(Protocol):
    """A model that learns to give pictures back, float32 [B, S, S, 3] in [0, 1].

    Attributes:
      num_parameters: that are learned and needed to give pictures back.
      has_prior: whether codes drawn from N(0, 1) are to give faces.
    """

    num_parameters: int
    has_prior: bool

    def take_step(self, images: np.ndarray, rate_share: float) -> None:
        """Learns from a batch, with such a share of its learning rate."""

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """What it makes of pictures, without chance."""

    def encode(self, images: np.ndarray) -> np.ndarray | None:
        """Means of codes, [B, D]; None where codes are no vectors."""

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Pictures of codes, float32 [B, D], where they are vectors."""

    def state(self) -> dict[str, np.ndarray]:
        """Weights, moments and all else that it goes on from."""

    def restore(self, state: Arrays) -> None:
        """Goes on from there."""
