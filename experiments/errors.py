"""What ends a command with an exit code other than 0 and 1."""


class UsageError(Exception):
    """The user's flags or files are at fault; the message says what to do, in at most 6 lines, each an argument."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class StoppedError(Exception):
    """A training ended before its time, and can go on from what is saved.

    Attributes:
      code: of Ctrl-C or SIGTERM what a shell expects, 128 and the signal's number; 1 where another worker is gone.
    """

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code
