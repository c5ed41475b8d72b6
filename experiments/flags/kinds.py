"""Settings: fields of frozen dataclasses, each of a kind, from which flags are made and read.

A setting is declared once, as a field that carries its help, its range and its kind. `define` makes the flags of a
class, `read` an object of what was given, `make_flags` the flags of an object; nobody else sees a flag.
"""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from absl import flags

from ..errors import UsageError

# What TensorFlow's int64 and float32 hold.
LARGEST = {int: 2**63 - 1, float: 3.4e38}

AnySettings = TypeVar("AnySettings", bound="Settings")


class Kind(NamedTuple):
    """What a field is.

    Attributes:
      define: makes its flag, of FlagValues, name and default.
      read: from the flag's value to the setting's.
      write: and back.
      is_path: a file or folder of this machine, or a name.
      is_what: it says what is trained; else only where, or how it is watched.
      is_changeable: it may be another where a run goes on.
    """

    define: Callable[[flags.FlagValues, str, Any], None]
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    is_path: bool
    is_what: bool
    is_changeable: bool


class Settings:
    """What settings have in common: each is held to its kind, whoever gives it.

    Raises:
      UsageError: a value out of its range, which the message names by its flag.
    """

    def __post_init__(self):
        values = make_flags(self)
        for name, kind in list_kinds(type(self)):
            try:
                values[name].value = check_flag(values[name])
            except (ValueError, TypeError) as error:
                raise UsageError(f"--{name}={getattr(self, name)}: {error}") from error
            object.__setattr__(self, name, kind.read(values[name].value))
        try:
            values.validate_all_flags()
        except flags.IllegalFlagValueError as error:
            raise UsageError(str(error).removeprefix("flag ")) from error


def check_flag(flag: flags.Flag) -> Any:
    """A flag's value as its parser leaves it."""
    if flag.value is None or isinstance(flag.value, list | bool):
        return flag.value
    return flag.parser.parse(flag.value)


def list_kinds(of: type) -> Iterator[tuple[str, Kind]]:
    """The fields of a class that are settings themselves, and not groups of them."""
    for field in dataclasses.fields(of):
        if "kind" in field.metadata:
            yield field.name, field.metadata["kind"]


def list_names(of: type) -> list[str]:
    """The names of the settings of a class, without its groups'."""
    return [name for name, _ in list_kinds(of)]


def list_groups(of: type) -> dict[str, type]:
    """The fields of a class that are groups of settings: by name, their classes."""
    return {
        field.name: field.default_factory  # type: ignore[misc]
        for field in dataclasses.fields(of)
        if "kind" not in field.metadata
    }


def define(values: flags.FlagValues, of: type, only: Sequence[str] | None = None, **defaults: Any) -> None:
    """Makes the flags of a class of settings and of its groups.

    Args:
      values: that get them.
      of: the class.
      only: names of some of its fields.
      defaults: by name, those that are not the class' own.
    """
    own = {field.name: field.default for field in dataclasses.fields(of)}
    for name, kind in list_kinds(of):
        if only is None or name in only:
            kind.define(values, name, kind.write(defaults.get(name, own[name])))
    for group in list_groups(of).values():
        define(values, group)


def read(values: flags.FlagValues, of: type[AnySettings]) -> AnySettings:
    """The settings that flags say."""
    own = {name: kind.read(values[name].value) for name, kind in list_kinds(of)}
    return of(**own, **{name: read(values, group) for name, group in list_groups(of).items()})


def read_given(values: flags.FlagValues, of: type[Settings]) -> dict[str, Any]:
    """Those settings of a class, without its groups, whose flags were given explicitly."""
    return {
        name: kind.read(values[name].value) for name, kind in list_kinds(of) if name in values and values[name].present
    }


def make_flags(settings: Settings) -> flags.FlagValues:
    """Flags with the values of settings and of their groups."""
    values = flags.FlagValues()
    _fill(values, settings)
    return values


def _fill(values: flags.FlagValues, settings: Settings) -> None:
    for name, kind in list_kinds(type(settings)):
        kind.define(values, name, None)
        values[name].value = kind.write(getattr(settings, name))
    for group in list_groups(type(settings)):
        _fill(values, getattr(settings, group))


def list_titles(of: type) -> dict[str, list[str]]:
    """The settings of each group of a class, by what the group is about."""
    return {
        (group.__doc__ or "").splitlines()[0]: [name for name, _ in list_kinds(group)]
        for group in list_groups(of).values()
    }


def flatten(settings: Settings) -> dict[str, Any]:
    """All settings by name, without their groups."""
    own = {name: getattr(settings, name) for name, _ in list_kinds(type(settings))}
    for group in list_groups(type(settings)):
        own |= flatten(getattr(settings, group))
    return own


def every_kind(of: type) -> dict[str, Kind]:
    """All settings of a class and of its groups, by name."""
    return dict(list_kinds(of)) | {
        name: kind for group in list_groups(of).values() for name, kind in every_kind(group).items()
    }


# Kinds.


def _same(value: Any) -> Any:
    return value


def _field(
    default: Any,
    define: Callable[[flags.FlagValues, str, Any], None],
    read: Callable[[Any], Any] = _same,
    write: Callable[[Any], Any] = _same,
    is_path: bool = False,
    is_what: bool = True,
    is_changeable: bool = False,
) -> Any:
    kind = Kind(define, read, write, is_path, is_what, is_changeable)
    return dataclasses.field(default=default, metadata={"kind": kind})


def number(
    default: float | None,
    help: str,
    lowest: float = 0,
    highest: float | None = None,
    kind: type = int,
    above: bool = False,
    **more: Any,
) -> Any:
    """A number of a kind in [lowest, highest], or above `lowest`."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        define_number(values, name, default, help, lowest, highest, kind, above)

    return _field(default, define, **more)


def one_of(choices: Sequence[str], default: Any, help: str, read: Callable[[str], Any] = _same, **more: Any) -> Any:
    """One of some words."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        flags.DEFINE_enum(name, default, list(choices), help, flag_values=values)

    return _field(default, define, lambda value: value if value is None else read(value), _as_word, **more)


def _as_word(value: Any) -> str | None:
    return None if value is None else str(value)


def switch(default: bool, help: str, **more: Any) -> Any:
    """Yes or no."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        flags.DEFINE_bool(name, default, help, flag_values=values)

    return _field(default, define, **more)


def word(default: str | None, help: str, **more: Any) -> Any:
    """Any text."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        flags.DEFINE_string(name, default, help, flag_values=values)

    return _field(default, define, **more)


def path(default: str | None, help: str, **more: Any) -> Any:
    """A file or folder; `~` is the user's home."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        define_path(values, name, help, default)

    return _field(default, define, write=_as_word, is_path=True, **more)


def words(
    default: Sequence[Any] | None,
    help: str,
    check: Callable[[list[str]], bool] | None = None,
    problem: str = "",
    read: Callable[[str], Any] = _same,
    **more: Any,
) -> Any:
    """Several texts, with commas between them on a command line; a tuple of what `read` makes of each."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        flags.DEFINE_list(name, default, help, flag_values=values)
        if check:
            flags.register_validator(name, lambda found: found is None or check(found), problem, flag_values=values)

    return _field(default, define, lambda found: None if found is None else tuple(map(read, found)), _as_words, **more)


def several_of(choices: Sequence[str], default: Sequence[str] | None, help: str, **more: Any) -> Any:
    """Some of some words, each by a flag of its own; a tuple."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        flags.DEFINE_multi_enum(name, default, list(choices), help, flag_values=values)

    return _field(default, define, lambda found: None if found is None else tuple(found), _as_words, **more)


def repeated(help: str, **more: Any) -> Any:
    """Several texts, each by a flag of its own; a tuple."""

    def define(values: flags.FlagValues, name: str, default: Any) -> None:
        flags.DEFINE_multi_string(name, default or [], help, flag_values=values)

    return _field((), define, tuple, _as_words, **more)


def _as_words(found: Sequence[Any] | None) -> list[str] | None:
    return None if found is None else [str(one) for one in found]


# Flags of single commands.


def define_required(values: flags.FlagValues, name: str, help_text: str) -> None:
    """A path or word without which the command does not run."""
    define_path(values, name, help_text)
    flags.register_validator(name, bool, f"is required: {help_text}", flag_values=values)


def define_path(values: flags.FlagValues, name: str, help_text: str, default: str | None = None) -> None:
    """A flag for a file or folder; `~` is the user's home, as after a space in the shell."""
    flags.DEFINE(_PathParser(), name, default, help_text, values, flags.ArgumentSerializer())


def define_paths(values: flags.FlagValues, name: str, help_text: str) -> None:
    """A flag for files or folders, which is given once for each."""
    flags.DEFINE_multi(_PathParser(), flags.ArgumentSerializer(), name, [], help_text, values)


def define_number(
    values: flags.FlagValues,
    name: str,
    default: float | None,
    help_text: str,
    lowest: float,
    highest: float | None = None,
    kind: type = int,
    above: bool = False,
) -> None:
    """A flag for a number of `kind` in [lowest, highest], or above `lowest` with `above`."""
    parser = _NumberParser(kind, lowest, highest, above)
    flags.DEFINE(parser, name, default, help_text, values, flags.ArgumentSerializer())


class _PathParser(flags.ArgumentParser):
    def parse(self, argument):
        if "\0" in argument:
            raise ValueError("a name cannot hold a NUL")
        return os.path.expanduser(argument)  # noqa: PTH111  (a Path would lose the slashes of gs://)


class _NumberParser(flags.ArgumentParser):
    """One message for whatever is not such a number: what it must be."""

    def __init__(self, kind: type, lowest: float, highest: float | None, above: bool):
        self.kind, self.lowest, self.above = kind, lowest, above
        self.highest = LARGEST[kind] if highest is None else highest
        words = "a whole number" if kind is int else "a number"
        from_words = f"above {lowest:g}" if above else f"of at least {lowest:g}"
        to_words = "" if highest is None else f" and at most {highest}"
        self.syntactic_help = f"{words} {from_words}{to_words}"

    def parse(self, argument):
        try:
            number = self.kind(argument)
            if not isinstance(argument, str) and number != argument:
                raise ValueError(argument)  # a fraction where a whole number is wanted
        except (ValueError, TypeError) as error:
            raise ValueError(f"must be {self.syntactic_help}") from error
        if number > self.highest:
            raise ValueError(f"too large, must be {self.syntactic_help}")
        if math.isnan(number) or number < self.lowest or (self.above and number == self.lowest):
            raise ValueError(f"must be {self.syntactic_help}")
        return number

    def flag_type(self) -> str:
        return self.kind.__name__


def are_digits(text: str) -> bool:
    """Whether `int` takes the text for a number of at least 0: thousands of digits it does not take."""
    return text.strip().isdecimal() and len(text) < 1000
