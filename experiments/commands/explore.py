"""Play with a trained autoencoder in the browser: morph faces, pull its sliders, keep the pictures."""

import contextlib
import getpass
import os
import re
import secrets
from pathlib import Path

from absl import flags

from ... import files
from ..errors import UsageError
from ..explorer import server
from ..explorer.flags import TOKEN_VARIABLE, check_installed, define_flags
from ..flags.groups import AlignmentSettings, DataSettings
from ..flags.kinds import read, read_given
from ..runs.run import open_run

MOST_TOKEN_BYTES = 1000
TOKEN = re.compile(r"[A-Za-z0-9_-]{8,200}")
__all__ = ["define_flags", "run"]


def run(values: flags.FlagValues) -> None:
    if not values.host:
        raise UsageError("--host= names no address")
    token = token_of(values.token, values.host)
    check_installed("gradio")
    opened = open_run(values.run_dir, values.checkpoint)
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(server.bound_socket(values.host, values.port, bool(values["port"].present)))
        folder = stack.enter_context(server.quiet_gradio())
        from ..explorer.explorer import Explorer

        explorer = Explorer(opened, read(values, AlignmentSettings), read_given(values, DataSettings))
        stack.callback(explorer.close)
        from ..explorer import page

        blocks = page.page_of(explorer, folder)
        address = server.address_of(bound, values.host, token)
        print(f"{address}\nCtrl-C ends it.", flush=True)
        server.serve(blocks, bound, values.host, token, folder, page.looks())


def token_of(asked: str | None, host: str) -> str | None:
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
        return _checked(getpass.getpass("token: "), "--token=ask")
    if asked is not None:
        try:
            return _checked(files.read_text(Path(asked), MOST_TOKEN_BYTES), f"--token={asked}")
        except FileNotFoundError as error:
            raise UsageError(
                f"--token={asked}: no such file. The token itself has no place on the command line, where everybody on "
                f"this machine reads it: put it into a file or into {TOKEN_VARIABLE}, or give --token=make"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--token={asked} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if (named := os.environ.get(TOKEN_VARIABLE)) is not None:
        return _checked(named, TOKEN_VARIABLE)
    return None if server.is_local(host) else secrets.token_urlsafe(24)


def _checked(token: str, where: str) -> str:
    if not TOKEN.fullmatch(token.strip()):
        raise UsageError(f"{where}: a token has 8 to 200 letters, digits, - and _")
    return token.strip()
