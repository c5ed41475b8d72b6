"""Code priors, which know what codes of a model look like."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..runs.model_files import load_model
from ..runs.places import find_model_file

if TYPE_CHECKING:
    from ...models import CodePrior

FLOW = "flow"  # what is drawn, and led, by a code prior


def load_prior(model, place: str) -> "CodePrior":
    """The code prior of a model.

    Args:
      model: an `Autoencoder`.
      place: what --prior names: a run, a model file, or weights that ship.

    Raises:
      UsageError: there is none, or it knows the codes of another model.
    """
    from ...models import CodePrior

    prior = load_model(find_model_file(place, "prior"), CodePrior)
    held, own = (network.find_part("autoencoder").get_weights() for network in (prior, model.network()))
    if len(held) != len(own) or not all(map(np.array_equal, held, own)):
        raise UsageError(f"--prior={place} knows the codes of another model: train one with --autoencoder of this run")
    return prior
