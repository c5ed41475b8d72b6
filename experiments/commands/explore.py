"""Play in the browser: warp two photographs, or morph a trained autoencoder's faces and pull its sliders."""

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
from ..explorer.explored import Explored
from ..faces.origins import refuse_useless_cut
from ..flags import groups, kinds
from ..flags.groups import MAX_IMAGE_SIZE, MIN_IMAGE_SIZE, AlignmentSettings, LandmarkSettings
from ..flags.kinds import read
from ..runs.run import Run, open_run
from ..terminal import announce

PORT = 7860
TOKEN_VARIABLE = "FACEZOO_TOKEN"
MOST_TOKEN_BYTES = 1000
TOKEN = re.compile(r"[A-Za-z0-9_-]{8,200}")
FROM_RUN = ("checkpoint", "sampling_steps", "align")  # flags that do nothing without a run
WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values, is_required=False)
    groups.define_sampling_steps(values)
    text = "Port of the page, the next free one if it is taken and not asked for; 0 is any that is free."
    kinds.define_number(values, "port", PORT, text, 0, 65535)
    text = "Address that is served; for any but this machine's own a token is made if none is given."
    flags.DEFINE_string("host", "127.0.0.1", text, flag_values=values)
    text = (
        "Where the secret comes from that every request needs: `make` one, `ask` for it, or name the file that holds "
        f"it; {TOKEN_VARIABLE} in the environment if absent. The address printed has it."
    )
    kinds.define_path(values, "token", text)
    text = "Height and width of photographs' warps without a run; if absent what they hold, up to 512."
    kinds.define_number(values, "size", None, text, MIN_IMAGE_SIZE, MAX_IMAGE_SIZE)
    kinds.define(values, LandmarkSettings)
    groups.define_alignment(values, align=True)
    groups.define_data_flags(values, groups.NOT_DATA)


def run(values: flags.FlagValues) -> None:
    if not values.host:
        raise UsageError("--host= names no address")
    token = find_token(values.token, values.host)
    check_installed("gradio", "explore")
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps) if values.run_dir else None
    _check_flags(values, opened)
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(server.bound_socket(values.host, values.port, bool(values["port"].present)))
        explorer = _explore(values, opened)
        stack.callback(explorer.close)
        announce("Making the page ...")
        folder = stack.enter_context(server.quiet_gradio())
        from ..explorer import page

        blocks = page.page_of(explorer, folder)
        address = server.address_of(bound, values.host, token)
        print(f"{address}\nCtrl-C ends it.", flush=True)
        server.serve(blocks, bound, values.host, token, folder, page.looks())


def _check_flags(values: flags.FlagValues, opened: Run | None) -> None:
    """Raises UsageError for flags that do nothing."""
    for name in ("size",) if opened else FROM_RUN:
        if values[name].present:
            raise UsageError(f"--{name} does nothing {'with' if opened else 'without'} --run_dir")


def _explore(values: flags.FlagValues, opened: Run | None) -> Explored:
    alignment, landmarks = read(values, AlignmentSettings), read(values, LandmarkSettings)
    given = groups.read_given_data(values, groups.NOT_DATA)
    if opened is None:
        from ..explorer.photographs import WarpExplorer

        refuse_useless_cut(alignment, given)
        return WarpExplorer(alignment, landmarks, given, values.size)
    from ..explorer.explorer import Explorer

    return Explorer(opened, alignment, given, landmarks)


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
