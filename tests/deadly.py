"""An aligner whose process a file can kill, importable by the processes that align."""

import os
import signal

from facezoo.experiments.faces.aligning import Aligner


class Deadly(Aligner):
    """Dies of files that are called deadly, as of a fault in a decoder."""

    def __call__(self, file):
        if "deadly" in file.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(file)
