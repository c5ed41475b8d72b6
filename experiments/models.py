"""List the architectures and what their constructors take."""

import inspect

from absl import flags

from .backend import load_tensorflow


def define_flags(values: flags.FlagValues) -> None:
    """None: the whole list is short."""


def run(values: flags.FlagValues) -> None:
    load_tensorflow()
    from ..models import MODELS

    for name, model in MODELS.items():
        summary = (model.__doc__ or "").splitlines()[0]
        arguments = inspect.signature(model).parameters.values()
        print(f"{name}: {summary}")
        print("    " + ", ".join(f"{argument.name}={argument.default!r}" for argument in arguments))
