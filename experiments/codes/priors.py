"""Code priors, which know what codes of a model look like."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..runs.model_files import load_model
from ..runs.places import find_model_file

if TYPE_CHECKING:
    from ...models import CodePrior

FLOW = "flow"  # what is drawn, and led, by a code prior
SHIPPED = "code_prior"


def load_prior(model, place: str | None, asked: str) -> "CodePrior":
    """The code prior of a model.

    Args:
      model: an `Autoencoder`.
      place: what --prior names: a run, a model file, or weights that ship; None is the one that ships.
      asked: what a prior is needed for, as in a message.

    Raises:
      UsageError: there is none, or it knows the codes of another model.
    """
    from ...models import CodePrior

    prior = load_model(find_model_file(place or SHIPPED, "prior"), CodePrior)
    held, own = (network.find_part("autoencoder").get_weights() for network in (prior, model.network()))
    if len(held) == len(own) and all(map(np.array_equal, held, own)):
        return prior
    if place:
        raise UsageError(f"--prior={place} knows the codes of another model: train one with --autoencoder of this run")
    raise UsageError(
        f"{asked} goes by a code prior, and the one that ships knows other codes: name its --prior "
        "(--model=code_prior --autoencoder of this run trains one)"
    )
