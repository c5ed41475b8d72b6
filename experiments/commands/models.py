"""List the architectures, what their constructors take, and the weights that ship."""

import inspect

from absl import flags

from ..backend import load_tensorflow
from ..errors import UsageError


def define_flags(values: flags.FlagValues) -> None:
    """None: the whole list is short."""


def run(values: flags.FlagValues) -> None:
    load_tensorflow()
    from ...models import FACE_NETWORKS, MODELS
    from ...models.pretrained import pretrained_names, read_card

    for name, model in (MODELS | FACE_NETWORKS).items():
        summary = (model.__doc__ or "").splitlines()[0]
        arguments = inspect.signature(model).parameters.values()
        print(f"{name}: {summary}")
        print("    " + ", ".join(f"{argument.name}={argument.default!r}" for argument in arguments))
    for name in pretrained_names():
        try:
            card = read_card(name)
        except ValueError as error:
            raise UsageError(str(error)) from error
        print(f"--init_from={name}: recipe {card['recipe']}, {card['data']}")
