"""Workers wait for each other before TensorFlow does: there they can be told of, and stopped."""

import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence

SECONDS_BETWEEN = 0.5
SECONDS_OF_SILENCE = 20.0  # before a worker says whom it waits for
SECONDS_TO_ANSWER = 2.0


def wait_for_all(addresses: Sequence[str], own: str) -> None:
    """Comes back when all workers can be reached, each at its address or at what it does there later.

    Args:
      addresses: of all, as "host:port".
      own: the one of this process, at which it is found meanwhile.
    """
    missing = [address for address in addresses if address != own]
    told = time.monotonic() + SECONDS_OF_SILENCE
    with _listening(int(own.rpartition(":")[2])):
        while missing := [address for address in missing if not _answers(address)]:
            if time.monotonic() > told:
                print(f"waiting for the workers at {', '.join(missing)}", file=sys.stderr, flush=True)
                told = time.monotonic() + 3 * SECONDS_OF_SILENCE
            time.sleep(SECONDS_BETWEEN)


@contextlib.contextmanager
def _listening(port: int) -> Iterator[None]:
    """Within, whoever looks for this worker finds it; TensorFlow listens at the same port afterwards."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # somebody else listens there, of whom TensorFlow tells
            stack.enter_context(socket.create_server(("", port), family=family, backlog=128, dualstack_ipv6=both))
        yield


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """Within, TensorFlow may take SIGTERM for itself, as it does where workers meet; afterwards it acts as before."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except OSError:
        return False
    return True
