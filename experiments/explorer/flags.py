"""The flags of the explorer, and the packages that it needs."""

import importlib.util

from absl import flags

from ..errors import UsageError
from ..flags import groups, kinds

PORT = 7860
TOKEN_VARIABLE = "FACEZOO_TOKEN"


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    text = "Port of the page, the next free one if it is taken and not asked for; 0 is any that is free."
    kinds.define_number(values, "port", PORT, text, 0, 65535)
    text = "Address that is served; for any but this machine's own a token is made if none is given."
    flags.DEFINE_string("host", "127.0.0.1", text, flag_values=values)
    text = (
        "Where the secret comes from that every request needs: `make` one, `ask` for it, or name the file that holds "
        f"it; {TOKEN_VARIABLE} in the environment if absent. The address printed has it."
    )
    kinds.define_path(values, "token", text)
    groups.define_alignment(values, align=True)
    groups.define_data_flags(values)


def check_installed(package: str) -> None:
    """Raises UsageError where a package of the extra `explore` is not installed."""
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"{package} is not installed: pip install 'facezoo[explore]'")
