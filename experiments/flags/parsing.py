"""From the words of a command line to flags."""

import itertools
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from ..errors import UsageError
from .files import NAMES, expand
from .kinds import define, define_path, read
from .training import TrainingSettings

# What others call flags of ours.
MEANT = {
    "frames": "steps",
    "num_frames": "steps",
    "n": "count",
    "num": "count",
    "input": "in",
    "output": "out",
    "out_dir": "out",
    "output_dir": "out",
    "in_dir": "in",
    "run": "run_dir",
    "dataset": "show",
    "model_dir": "run_dir",
    "logdir": "run_dir",
    "checkpoint_dir": "run_dir",
    "weights": "run_dir",
    "data": "data_dir",
    "lr": "learning_rate",
    "batch": "batch_size",
    "beta": "kl_factor",
    "quantize": "quantise",
    "sparsity": "prune",
    "resolution": "image_size",
    "size": "image_size",
    "image_size": "size",
    "from": "start",
    "to": "end",
}
RECIPES = Path(__file__).parents[1] / "recipes"


def parse(
    define_flags: Callable[[flags.FlagValues], None],
    arguments: Sequence[str],
    has_recipes: bool = False,
    words: Sequence[str] = (),
) -> flags.FlagValues:
    """A command's flags as given.

    Args:
      define_flags: of the command.
      arguments: what follows its name.
      has_recipes: --recipe stands for a file of its flags. They do not count as given, so that what --init_from names
        may have others, unless the recipe itself says what to start from.
      words: the flags that words without a flag are meant as, for a hint.

    Raises:
      flags.Error: an unknown flag or a value out of range.
      UsageError: a word that is no flag, or a recipe or a flag file that cannot be.
    """
    values = define_all(define_flags)
    own = [argument for argument in arguments if not _is_recipe(argument)]
    theirs = expand([_expand_recipe(argument, has_recipes) for argument in arguments if _is_recipe(argument)])
    arguments = expand([_expand_recipe(argument, has_recipes) for argument in arguments])
    try:
        rest = values(["facezoo", *arguments])[1:]
    except flags.IllegalFlagValueError as error:
        if "=None: is required" in str(error) and (bare := list(itertools.compress(own, _are_bare(own, values)))):
            raise _no_flag(bare, own, words) from error
        raise UsageError(*str(error).replace("=None: is required", " is required").splitlines()) from error
    except flags.UnrecognizedFlagError as error:
        meant = MEANT.get(str(error.flagname))
        if meant is None or meant not in values:
            raise
        raise UsageError(f"no flag --{error.flagname}; did you mean --{meant}?") from error
    except ValueError as error:  # absl's, of --noflag=value
        raise UsageError(str(error)) from error
    except RecursionError as error:  # absl looks for the nearest name recursively
        raise UsageError("a flag has a name of hundreds of letters: write --flag=value") from error
    if rest:
        raise _no_flag(rest, own, words)
    if theirs:
        given, told = define_all(define_flags), define_all(define_flags)
        for found, some in ((given, expand(own)), (told, theirs)):
            found.unparse_flags()
            found(["facezoo", *some], known_only=True)
        begins = "init_from" in told and told["init_from"].present
        for name in values:
            values[name].present = values[name].present if begins else given[name].present
    return values


def name_items(arguments: Sequence[str], item: str, define_flags: Callable[[flags.FlagValues], None]) -> list[str]:
    """Arguments with a flag's name before words that are neither flags nor values of the flag before them.

    Args:
      arguments: as they were given.
      item: the flag that such words are values of.
      define_flags: of the command.
    """
    bare = _are_bare(arguments, define_all(define_flags))
    return [f"--{item}={word}" if is_bare else word for word, is_bare in zip(arguments, bare, strict=True)]


def _are_bare(arguments: Sequence[str], values: flags.FlagValues) -> list[bool]:
    """Of each word whether it is neither a flag nor, as `--flag value`, follows one that waits for its value."""
    found, waits = [], False
    for word in arguments:
        is_flag, name = word.startswith("-"), word.lstrip("-")
        found.append(not is_flag and not waits)
        waits = is_flag and (word in NAMES or (name in values and not values[name].boolean))
    return found


def _no_flag(rest: Sequence[str], arguments: Sequence[str], words: Sequence[str]) -> UsageError:
    given = {argument.lstrip("-").partition("=")[0] for argument in arguments if argument.startswith("-")}
    words = [word for word in words if word not in given]
    meant = " ".join(f"--{name}={shlex.quote(word)}" for name, word in zip(words, rest, strict=False))
    return UsageError(f"{rest[0]!r} is no flag: write --flag=value{f', as {meant}' if meant else ''}")


def parse_training(arguments: Sequence[str], has_recipes: bool = False) -> TrainingSettings:
    """The settings that the words of a training's command line say."""
    return read(parse(define_train_flags, arguments, has_recipes), TrainingSettings)


def define_train_flags(values: flags.FlagValues) -> None:
    """The flags of `facezoo train`: the settings, and where they go."""
    define(values, TrainingSettings)
    text = "Print settings, parameters and one batch's shapes; write nothing."
    flags.DEFINE_bool("dry_run", False, text, flag_values=values)
    define_path(values, "run_dir", "Run folder (runs/<model>-<dataset>-<time>).")


def define_all(define_flags: Callable[[flags.FlagValues], None]) -> flags.FlagValues:
    """The flags of a command, none of them given."""
    values = flags.FlagValues()
    define_flags(values)
    return values


def _expand_recipe(argument: str, has_recipes: bool) -> str:
    if not _is_recipe(argument):
        return argument
    recipe = argument.partition("=")[2]
    if not has_recipes:
        raise UsageError(f"{argument}: only `facezoo train` follows a recipe")
    if recipe not in recipes():
        raise UsageError(f"--recipe={recipe}: no such recipe; there are {', '.join(recipes())}")
    return f"--flagfile={RECIPES / recipe}.flags"


def _is_recipe(argument: str) -> bool:
    return argument.startswith("-") and argument.lstrip("-").partition("=")[0] == "recipe"


def recipes() -> list[str]:
    """The names of the files of flags that ship."""
    return sorted(path.stem for path in RECIPES.glob("*.flags"))
