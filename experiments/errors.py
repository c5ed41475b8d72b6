"""What ends a command with an exit code other than 0 and 1."""


class UsageError(Exception):
    """The user's flags or files are at fault; the message says what to do, in at most 6 lines."""


class StoppedError(Exception):
    """Ctrl-C or SIGTERM ended a training, which is saved.

    Attributes:
      code: the exit code that a shell expects, 128 and the signal's number.
    """

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code
