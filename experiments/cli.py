"""`facezoo <command> --flag=value`: finds the command, reads its flags, turns errors into exit codes."""

import contextlib
import difflib
import io
import sys
import traceback
from collections.abc import Callable, Sequence
from logging import Formatter, LogRecord
from pathlib import Path
from types import ModuleType

from absl import flags, logging

from .. import __version__
from ..datasets.source import DatasetError
from . import (
    align,
    analyse,
    attributes,
    benchmark,
    datasets,
    edit,
    encode,
    evaluate,
    explore,
    flag_files,
    launch,
    models,
    morph,
    pack,
    publish,
    sample,
    swap,
    train,
)
from .backend import check_keras_backend
from .errors import StoppedError, UsageError
from .processes import NOBODY_READS, leave_closed_pipes, open_closed_streams
from .terminal import PrintableStream, message_of, printable, shortened

COMMANDS: dict[str, ModuleType] = {
    "train": train,
    "evaluate": evaluate,
    "analyse": analyse,
    "morph": morph,
    "encode": encode,
    "attributes": attributes,
    "edit": edit,
    "sample": sample,
    "swap": swap,
    "align": align,
    "pack": pack,
    "explore": explore,
    "models": models,
    "datasets": datasets,
    "publish": publish,
    "benchmark": benchmark,
    "launch": launch,
}
ABSL_OF_LISTS = ";\n    repeat this option to specify a list of values"  # what absl ends their help with
RECIPES = Path(__file__).parents[1] / "recipes"


def main() -> None:
    """The console script."""
    open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may be made of any bytes
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command; returns the exit code.

    0 done; 2 the user's flags, files or data are at fault; 1 we are; 130 and 143 it was interrupted; 141 nobody reads
    what it prints any more, as `head` after some lines.
    """
    try:
        return _run_and_tell(arguments)
    except BrokenPipeError as error:
        if leave_closed_pipes():
            return NOBODY_READS
        print(f"facezoo: {message_of(error)}", file=sys.stderr)
        return 2


def _run_and_tell(arguments: list[str]) -> int:
    try:
        with contextlib.redirect_stdout(PrintableStream(sys.stdout)):
            code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (UsageError, DatasetError, flags.Error, OSError) as error:
        print(f"facezoo: {message_of(error)}", file=sys.stderr)
        return 2
    except StoppedError as stopped:
        print(f"facezoo: {message_of(stopped)}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        print("facezoo: interrupted", file=sys.stderr)
        return 130
    except Exception:  # whatever it is, it is ours: say so, and show where
        traceback.print_exc()
        print("facezoo: this is a fault of facezoo's; please report it with the lines above", file=sys.stderr)
        return 1
    return code


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(commands_help())
    elif arguments[0] == "--version":
        print(f"facezoo {__version__}")
    else:
        return _run_command(arguments[0], arguments[1:])
    return 0


def _run_command(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        raise UsageError(f"no command {name!r}{_did_you_mean(name)}; the commands are {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    end = arguments.index("--") if command is launch and "--" in arguments else len(arguments)
    arguments, launched = arguments[:end], arguments[end + 1 :]
    if {"--help", "-h"} & set(arguments):
        print(command_help(name))
        return 0
    values = parse(command.define_flags, arguments, has_recipes=command is train)
    check_keras_backend()
    _log_warnings_to_stderr()
    if command is launch:
        return launch.run(values, launched)
    command.run(values)
    return 0


def commands_help() -> str:
    """One line for each command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {_summary(command)}" for name, command in COMMANDS.items()]
    head = "facezoo <command> --flag=value ...; facezoo <command> --help lists the flags."
    return "\n".join([head, "", *lines])


def command_help(name: str) -> str:
    """The flags of one command."""
    values = _defined(COMMANDS[name].define_flags)
    lines = [f"facezoo {name}: {_summary(COMMANDS[name])}", ""]
    for flag in (values[flag_name] for flag_name in values):
        says_nothing = flag.default in (None, []) or flag.default is False  # 0 says something
        default = "" if says_nothing else f" (default {flag.default})"
        lines.append(f"  --{flag.name}\n      {flag.help.replace(ABSL_OF_LISTS, ' Give it again for more.')}{default}")
    if name == "train":
        lines.append(f"  --recipe\n      A flag file that ships with facezoo: {', '.join(_recipes())}.")
    lines.append("  --flagfile\n      A file of flags, one a line; later flags win.")
    return "\n".join(lines)


def parse(
    define_flags: Callable[[flags.FlagValues], None], arguments: Sequence[str], has_recipes: bool = False
) -> flags.FlagValues:
    """A command's flags as given.

    Args:
      define_flags: of the command.
      arguments: what follows its name.
      has_recipes: --recipe stands for a file of its flags.

    Raises:
      flags.Error: an unknown flag or a value out of range.
      UsageError: a word that is no flag, or a recipe or a flag file that cannot be.
    """
    values = _defined(define_flags)
    arguments = flag_files.expand([_expand_recipe(argument, has_recipes) for argument in arguments])
    try:
        rest = values(["facezoo", *arguments])[1:]
    except flags.IllegalFlagValueError as error:
        raise UsageError(str(error).replace("=None: is required", " is required")) from error
    except ValueError as error:  # absl's, of --noflag=value
        raise UsageError(str(error)) from error
    except RecursionError as error:  # absl looks for the nearest name recursively
        raise UsageError("a flag has a name of hundreds of letters: write --flag=value") from error
    if rest:
        raise UsageError(f"{rest[0]!r} is no flag: write --flag=value")
    return values


def _defined(define_flags: Callable[[flags.FlagValues], None]) -> flags.FlagValues:
    """The flags of a command, none of them given."""
    values = flags.FlagValues()
    define_flags(values)
    return values


def _expand_recipe(argument: str, has_recipes: bool) -> str:
    name, _, recipe = argument.lstrip("-").partition("=")
    if name != "recipe" or not argument.startswith("-"):
        return argument
    if not has_recipes:
        raise UsageError(f"{argument}: only `facezoo train` follows a recipe")
    if recipe not in _recipes():
        raise UsageError(f"--recipe={recipe}: no such recipe; there are {', '.join(_recipes())}")
    return f"--flagfile={RECIPES / recipe}.flags"


def _recipes() -> list[str]:
    """The names of the files of flags that ship."""
    return sorted(path.stem for path in RECIPES.glob("*.flags"))


def _log_warnings_to_stderr() -> None:
    flags.FLAGS.mark_as_parsed()  # absl's own; before, each log would begin with a warning about that
    logging.use_absl_handler()
    logging.set_verbosity(logging.WARNING)
    logging.set_stderrthreshold(logging.WARNING)
    logging.get_absl_handler().setFormatter(_OneLine("%(levelname)s: %(message)s"))


class _OneLine(Formatter):
    """A warning may hold names from anywhere."""

    def format(self, record: LogRecord) -> str:
        return shortened(printable(super().format(record)))


def _summary(command: ModuleType) -> str:
    return (command.__doc__ or "").splitlines()[0]


def _did_you_mean(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f", did you mean {close[0]!r}" if close else ""
