"""Play with a trained autoencoder in the browser: morph faces, pull its sliders, keep the pictures."""

import contextlib
import importlib.util
import re

from absl import flags

from . import options, runs
from .errors import UsageError

PORT = 7860
TOKEN = re.compile(r"[A-Za-z0-9_-]{8,200}")


def define_flags(values: flags.FlagValues) -> None:
    options.define_run_dir(values)
    text = "Port of the page, the next free one if it is taken and not asked for; 0 is any that is free."
    options.define_number(values, "port", PORT, text, 0, 65535)
    text = "Address that is served; any but this machine's own also needs --token."
    flags.DEFINE_string("host", "127.0.0.1", text, flag_values=values)
    text = "A secret that every request needs, of at least 8 letters, digits, - and _; the address printed has it."
    flags.DEFINE_string("token", None, text, flag_values=values)
    flags.register_validator(
        "token",
        lambda token: token is None or bool(TOKEN.fullmatch(token)),
        "must be 8 to 200 letters, digits, - and _",
        flag_values=values,
    )
    options.define_alignment(values, align=True)
    options.define_data_flags(values, dataset=None)


def run(values: flags.FlagValues) -> None:
    from . import explore_server

    if not values.host:
        raise UsageError("--host= names no address")
    if not explore_server.is_local(values.host) and not values.token:
        raise UsageError(f"--host={values.host} opens the page to other machines: give --token=SECRET too")
    check_installed("gradio")
    opened = runs.open_run(values.run_dir, values.checkpoint)
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(explore_server.bound_socket(values.host, values.port, bool(values["port"].present)))
        folder = stack.enter_context(explore_server.quiet_gradio())
        from .exploring import Explorer

        explorer = Explorer(opened, values)
        from . import explore_page

        page = explore_page.page_of(explorer, folder)
        address = explore_server.address_of(bound, values.host, values.token)
        print(f"{address}\nCtrl-C ends it.", flush=True)
        explore_server.serve(page, bound, values.host, values.token, explore_page.looks())


def check_installed(package: str) -> None:
    """Raises UsageError where a package of the extra `explore` is not installed."""
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"{package} is not installed: pip install 'facezoo[explore]'")
