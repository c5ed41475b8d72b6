"""Loads TensorFlow the way the command line wants it: the right backend, and no chatter on stderr."""

import contextlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from .errors import UsageError
from .terminal import announce

OTHER_BACKENDS = ("torch", "jax")  # of Keras, by which models are used, but not trained
CHATTER = (
    *(b"WARNING: All log messages before absl::InitializeLog", b"I0000"),
    *(b"WARNING: Logging before InitGoogle", b"W0000", b"INFO: Created TensorFlow Lite"),  # MediaPipe's and LiteRT's
    b"fully_quantize: ",  # of LiteRT's converter
)


def check_keras_backend(uses_models: bool = False) -> None:
    """Raises UsageError where the environment asks Keras for a backend that does not do.

    Args:
      uses_models: models are used only, and not trained, which other backends than TensorFlow do as well.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow" or (uses_models and backend in OTHER_BACKENDS):
        return
    raise UsageError(
        f"KERAS_BACKEND={backend}: this runs on TensorFlow: unset it or set it to tensorflow (by "
        f"{' and '.join(OTHER_BACKENDS)} facezoo encodes, decodes, morphs and edits)"
    )


def check_clock() -> None:
    """Raises UsageError where the clock stands before 1980, when the times begin that archives can tell."""
    now = time.localtime()
    if now.tm_year < 1980:
        raise UsageError(
            f"the clock of this machine says {time.strftime('%Y-%m-%d', now)}: set it; the archives that models and "
            "arrays are written to tell times from 1980 on"
        )


def check_installed(package: str, extra: str) -> None:
    """Raises UsageError where a package of an extra is not installed."""
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"{package} is not installed: pip install 'facezoo[{extra}]'")


def load_tensorflow():
    """Imports TensorFlow and finds its devices; returns the module. Its first time takes seconds, of which is told."""
    if "tensorflow" not in sys.modules:
        announce("Loading TensorFlow ...")
    with without_chatter():
        import tensorflow as tf

        tf.config.list_physical_devices()
        import keras  # noqa: F401  (it prints while it is imported, too)
    return tf


def as_array(made) -> Any:
    """What a model has made by whatever backend of Keras, as an array of NumPy's."""
    import keras

    return keras.ops.convert_to_numpy(made)


def use_one_thread(tf) -> None:
    """Has TensorFlow's own formats run as the others do, unless it has begun already."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Drops what TensorFlow's C++ side says before its log level holds; everything else written to stderr stays."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not line.startswith(CHATTER)))
