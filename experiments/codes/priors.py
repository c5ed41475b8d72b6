"""Code priors, which know what codes of a model look like."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..runs.model_files import load_model
from ..runs.places import find_model_file

if TYPE_CHECKING:
    from ...models import CodePrior

FLOW = "flow"  # the way to draw codes, or to lead them, by a code prior
SHIPPED_PRIORS = {64: "code_prior", 128: "code_prior_128"}  # of `appearance_vae` and its larger one, by pictures' size


def check_prior(place: str | None, chosen: str, flag: str) -> None:
    """Raises UsageError where --prior does nothing, since a flag chooses another way, or names nothing."""
    if place is None:
        return
    if chosen != FLOW:
        raise UsageError(f"--prior does nothing with --{flag}={chosen}: --{flag}={FLOW} takes it")
    find_model_file(place, "prior")  # or it says that there is none


def find_shipped_prior(model) -> "CodePrior | None":
    """The code prior that ships of a model's codes, if there is one."""
    from ...models import load_pretrained

    network = model.network()
    name = SHIPPED_PRIORS.get(network.image_size)
    if name is None or network.conditions:
        return None
    prior = load_pretrained(name)
    return prior if _have_same_codes(prior.autoencoder, network) else None


def load_prior(model, place: str | None, asked: str) -> "CodePrior":
    """The code prior of a model.

    Args:
      model: an `Autoencoder`.
      place: what --prior names: a run, a model file, or weights that ship; None is the one that ships.
      asked: the flag that wants one, for messages.

    Raises:
      UsageError: there is none, or it knows the codes of another model.
    """
    from ...models import CodePrior

    network = model.network()
    if network.conditions:
        told = ", ".join(network.conditions)
        raise UsageError(f"{asked}: a {type(network).__name__} is told {told}, and of its codes there are no priors")
    if place:
        prior = load_model(find_model_file(place, "prior"), CodePrior)
        if _have_same_codes(prior.autoencoder, network):
            return prior
        raise UsageError(f"--prior={place} knows the codes of another model: train one with --autoencoder of this run")
    if prior := find_shipped_prior(network):
        return prior
    raise UsageError(
        f"{asked} goes by a code prior, and those that ship are of appearance_vae, appearance_vae_128 and what holds "
        "them: train one of this run (facezoo train --recipe=code_prior --autoencoder=RUN) and name it by --prior"
    )


def _have_same_codes(first, second) -> bool:
    """Whether two autoencoders find the same codes, however they decode them."""
    sizes = [(one.image_size, one.channels) for one in (first, second)]
    if sizes[0] != sizes[1] or first.shape_of_code() != second.shape_of_code():
        return False
    size, channels = sizes[0]
    pictures = np.random.default_rng(0).random((2, size, size, channels), np.float32)
    return np.allclose(first.encode(pictures), second.encode(pictures), rtol=1e-3, atol=1e-4)
