"""Kinds of flags: paths, numbers in a range, what is required."""

import math
import os

from absl import flags

# What TensorFlow's int64 and float32 hold.
LARGEST = {int: 2**63 - 1, float: 3.4e38}


def define_required(values: flags.FlagValues, name: str, help_text: str) -> None:
    """A path or word without which the command does not run."""
    define_path(values, name, help_text)
    flags.register_validator(name, bool, f"is required: {help_text}", flag_values=values)


def define_path(values: flags.FlagValues, name: str, help_text: str, default: str | None = None) -> None:
    """A flag for a file or folder; `~` is the user's home, as after a space in the shell."""
    flags.DEFINE(_PathParser(), name, default, help_text, values, flags.ArgumentSerializer())


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
