"""facezoo's commands as processes of their own."""

import sys


def command_line(*arguments: str) -> list[str]:
    """What `subprocess` takes to run `facezoo` with these arguments, in the Python that runs now."""
    return [sys.executable, "-c", "from facezoo.experiments.cli import main; main()", *arguments]
