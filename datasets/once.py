"""What is the same for every split of a data set is found once for all of them."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Result = TypeVar("Result")
_found: contextvars.ContextVar[dict[tuple, Any] | None] = contextvars.ContextVar("found", default=None)


@contextlib.contextmanager
def find_once() -> Iterator[None]:
    """Within, what a function decorated with `once` has found for some arguments it does not look for again.

    Files that change meanwhile are seen the next time: a block should be as short as the opening of some splits.
    """
    token = _found.set({})
    try:
        yield
    finally:
        _found.reset(token)


def once(function: Callable[..., Result]) -> Callable[..., Result]:
    """Decorates a function of hashable arguments, by position, whose result nobody changes."""

    @functools.wraps(function)
    def call(*arguments):
        found = _found.get()
        if found is None:
            return function(*arguments)
        key = (function, *arguments)
        if key not in found:
            found[key] = function(*arguments)
        return found[key]

    return call
