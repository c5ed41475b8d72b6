"""What ends a command with an exit code other than 0 and 1."""


class UsageError(Exception):
    """The user's flags or files are at fault; the message says what to do, in at most 6 lines, each an argument."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


# How NumPy, Python, TensorFlow and the system's loader say that there is no memory left.
_OF_MEMORY = (
    *("MemoryError", "Unable to allocate", "OOM when allocating", "Cannot allocate memory", "bad_alloc"),
    *("failed to map segment", "can't start new thread"),
)


def is_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, is of memory that there is not."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


class StoppedError(Exception):
    """A training ended before its time, and can go on from what is saved.

    Attributes:
      code: of Ctrl-C or SIGTERM what a shell expects, 128 and the signal's number; 1 where another worker is gone.
    """

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code
