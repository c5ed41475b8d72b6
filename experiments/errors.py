"""What ends a command with exit code 2."""


class UsageError(Exception):
    """The user's flags or files are at fault; the message says what to do, in at most 6 lines."""
