"""Play with a trained autoencoder in the browser: morph faces, pull its sliders, keep the pictures."""

import contextlib
import getpass
import os
import re
import secrets
from pathlib import Path

from absl import flags

from ... import files
from ..backend import check_installed
from ..errors import UsageError
from ..explorer import server
from ..flags import groups, kinds
from ..flags.groups import AlignmentSettings, DataSettings
from ..flags.kinds import read, read_given
from ..runs.run import open_run
from ..terminal import announce

PORT = 7860
TOKEN_VARIABLE = "FACEZOO_TOKEN"
MOST_TOKEN_BYTES = 1000
TOKEN = re.compile(r"[A-Za-z0-9_-]{8,200}")
WORDS = ("run_dir",)  # flags that words without dashes are meant as


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


def run(values: flags.FlagValues) -> None:
    if not values.host:
        raise UsageError("--host= names no address")
    token = find_token(values.token, values.host)
    check_installed("gradio", "explore")
    opened = open_run(values.run_dir, values.checkpoint)
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(server.bound_socket(values.host, values.port, bool(values["port"].present)))
        from ..explorer.explorer import Explorer

        explorer = Explorer(opened, read(values, AlignmentSettings), read_given(values, DataSettings))
        stack.callback(explorer.close)
        announce("Making the page ...")
        folder = stack.enter_context(server.quiet_gradio())
        from ..explorer import page

        blocks = page.page_of(explorer, folder)
        address = server.address_of(bound, values.host, token)
        print(f"{address}\nCtrl-C ends it.", flush=True)
        server.serve(blocks, bound, values.host, token, folder, page.looks())


def find_token(asked: str | None, host: str) -> str | None:
    """The secret that requests need, or None where they need none. It never stands on a command line.

    Args:
      asked: --token.
      host: that is served.

    Raises:
      UsageError: the file is not there, or what it, the environment or the keyboard gives is no token.
    """
    if asked == "make":
        return secrets.token_urlsafe(24)
    if asked == "ask":
        return _check(getpass.getpass("token: "), "--token=ask")
    if asked is not None:
        try:
            return _check(files.read_text(Path(asked), MOST_TOKEN_BYTES), f"--token={asked}")
        except FileNotFoundError as error:
            raise UsageError(
                f"--token={asked}: no such file. The token itself has no place on the command line, where everybody on "
                f"this machine reads it: put it into a file or into {TOKEN_VARIABLE}, or give --token=make"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--token={asked} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if (named := os.environ.get(TOKEN_VARIABLE)) is not None:
        return _check(named, TOKEN_VARIABLE)
    return None if server.is_local(host) else secrets.token_urlsafe(24)


def _check(token: str, where: str) -> str:
    if not TOKEN.fullmatch(token.strip()):
        raise UsageError(f"{where}: a token has 8 to 200 letters, digits, - and _")
    return token.strip()
