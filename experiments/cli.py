"""`facezoo <command> --flag=value`: finds the command, reads its flags, turns errors into exit codes."""

import contextlib
import difflib
import io
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from logging import Formatter, LogRecord
from types import ModuleType

from absl import flags, logging

from .. import __version__
from ..datasets.source import DatasetError
from .backend import check_clock, check_keras_backend
from .commands import (
    align,
    analyse,
    attributes,
    benchmark,
    compare,
    compress,
    datasets,
    demo,
    distill,
    doctor,
    edit,
    encode,
    evaluate,
    explore,
    export,
    launch,
    make_morph,
    models,
    morph,
    pack,
    publish,
    sample,
    studio,
    swap,
    sweep,
    train,
)
from .errors import StoppedError, UsageError, is_of_memory
from .examples import GUIDES
from .flags.parsing import define_all, name_items, parse, recipes
from .processes import NOBODY_READS, leave_closed_pipes, open_closed_streams
from .terminal import PrintableStream, find_message, printable, shorten, show_announcements, wrapped

COMMANDS: dict[str, ModuleType] = {
    "demo": demo,
    "studio": studio,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "analyse": analyse,
    "morph": morph,
    "make-morph": make_morph,
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
    "distill": distill,
    "compress": compress,
    "publish": publish,
    "export": export,
    "benchmark": benchmark,
    "launch": launch,
    "sweep": sweep,
    "doctor": doctor,
}
NO_MEMORY = (
    "there is not enough memory; smaller pictures, batches and models, or --cache_gb=0 in a training, take less, and "
    "`ulimit -v`, a container or a scheduler may limit it"
)
ABSL_OF_LISTS = ";\n    repeat this option to specify a list of values"  # what absl ends their help with


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
        print(f"facezoo: {find_message(error)}", file=sys.stderr)
        return 2


def _run_and_tell(arguments: list[str]) -> int:
    try:
        with contextlib.redirect_stdout(PrintableStream(sys.stdout)):
            code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (UsageError, DatasetError, flags.Error, OSError) as error:
        print(f"facezoo: {find_message(error)}", file=sys.stderr)
        return 2
    except StoppedError as stopped:
        print(f"facezoo: {find_message(stopped)}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        print("facezoo: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # whatever else it is, it is ours: say so, and show where
        if is_of_memory(error):
            print(f"facezoo: {NO_MEMORY}", file=sys.stderr)
            return 2
        print(printable(traceback.format_exc(), "\n"), end="", file=sys.stderr)
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
    arguments, launched = _split_launched(command, arguments)
    if {"--help", "-h"} & set(arguments):
        print(command_help(name))
        return 0
    values = parse_command(name, arguments)
    check_keras_backend(getattr(command, "USES_MODELS", False))
    check_clock()
    _log_warnings_to_stderr()
    show_announcements()
    if command is launch:
        return launch.run(values, launched)
    with _naming_flags(list(values)):
        return command.run(values) or 0


def parse_command(name: str, arguments: list[str]):
    """The flags of a command as given; of `launch`, without what it starts.

    Raises:
      flags.Error, UsageError: they are not as the command takes them.
    """
    command = COMMANDS[name]
    arguments, _ = _split_launched(command, arguments)
    if item := getattr(command, "ITEM", None):
        arguments = name_items(arguments, item, command.define_flags)
    words = getattr(command, "WORDS", ())
    return parse(command.define_flags, arguments, has_recipes=command is train, words=words)


def _split_launched(command: ModuleType, arguments: list[str]) -> tuple[list[str], list[str]]:
    """A command's own words, and those of the command that it starts."""
    end = arguments.index("--") if command is launch and "--" in arguments else len(arguments)
    return arguments[:end], arguments[end + 1 :]


@contextlib.contextmanager
def _naming_flags(names: Sequence[str]) -> Iterator[None]:
    """Within, errors of data sets name the flags of a command instead of the arguments in Python."""
    try:
        yield
    except DatasetError as error:
        words = "|".join(name if "_" in name else f"{name}(?==)" for name in names)
        arguments = re.compile(rf"(?<![\w/.-])({words})(?![\w/.])")
        raise DatasetError(*(arguments.sub(r"--\1", str(argument)) for argument in error.args)) from error


def commands_help() -> str:
    """One line for each command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {summarise(name)}" for name in COMMANDS]
    head = "facezoo <command> --flag=value ...; facezoo <command> --help lists the flags."
    return "\n".join([head, "", *lines])


def command_help(name: str) -> str:
    """The flags of one command, those of a group of settings under what they are about."""
    lines = [wrapped(f"facezoo {name}: {summarise(name)}")]
    for title, group in group_flags(name).items():
        lines += ["", *([title] if title else []), *(line for flag in group for line in _flag_help(flag))]
    if name == "train":
        lines += ["  --recipe", wrapped(f"A flag file that ships with facezoo: {', '.join(recipes())}.", 6)]
    lines.append("  --flagfile\n      A file of flags, one a line; later flags win.")
    guide = GUIDES[name]
    lines += ["", "Examples.", *(f"  {example.line}\n{wrapped(example.says, 6)}" for example in guide.examples)]
    lines += ["", f"docs/{guide.page}.md tells more."]
    return "\n".join(lines)


def group_flags(name: str) -> dict[str, list[flags.Flag]]:
    """The flags of one command by what they are about; under "" where they are not many."""
    command = COMMANDS[name]
    values = define_all(command.define_flags)
    titles = getattr(command, "FLAGS_BY_TITLE", {})
    grouped = {title: [values[flag] for flag in names] for title, names in titles.items()}
    named = {flag for names in titles.values() for flag in names}
    left = [values[flag] for flag in values if flag not in named]
    return grouped | {"Where it goes." if titles else "": left}


def describe_flag(flag: flags.Flag) -> tuple[str, str]:
    """What a flag is for, and its default, if that says something."""
    says_nothing = flag.default in (None, []) or flag.default is False  # 0 says something
    shown = ", ".join(flag.default) if isinstance(flag.default, list) else flag.default
    return flag.help.replace(ABSL_OF_LISTS, " Give it again for more."), "" if says_nothing else f"{shown}"


def _flag_help(flag: flags.Flag) -> list[str]:
    text, default = describe_flag(flag)
    return [f"  --{flag.name}", wrapped(f"{text} (default {default})" if default else text, 6)]


def _log_warnings_to_stderr() -> None:
    flags.FLAGS.mark_as_parsed()  # absl's own; before, each log would begin with a warning about that
    logging.use_absl_handler()
    logging.set_verbosity(logging.WARNING)
    logging.set_stderrthreshold(logging.WARNING)
    logging.get_absl_handler().setFormatter(_OneLine("%(levelname)s: %(message)s"))


class _OneLine(Formatter):
    """A warning may hold names from anywhere."""

    def format(self, record: LogRecord) -> str:
        return shorten(printable(super().format(record)))


def summarise(name: str) -> str:
    """What a command does, in a line."""
    return (COMMANDS[name].__doc__ or "").splitlines()[0]


def _did_you_mean(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f", did you mean {close[0]!r}" if close else ""
