"""The server of `facezoo explore`: a page for one person at this machine, and nothing else for anybody else."""

import asyncio
import collections
import contextlib
import hmac
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import UsageError

PORTS_TRIED = 100
MOST_UPLOAD_BYTES = 32 * 2**20
MOST_WAITING_BYTES = 4 * MOST_UPLOAD_BYTES  # of uploads that are there or on their way
WAITING_SECONDS = 60  # that an upload is kept for the page to ask for it
MOST_EVENTS = 32  # that are answered at once, and that wait
MOST_MESSAGE_BYTES = 100_000  # of anything else that a browser sends
FORM_BYTES = 10_000  # around an upload
GUESSABLE = 22  # letters; longer tokens nobody guesses, so that nobody can lock their owner out
GUESSING_SECONDS, MOST_GUESSES_OF_ONE, MOST_GUESSES = 60, 10, 100  # wrong tokens in that time
PLAIN = str | int | float | bool | None  # what an event of the page may hold
SECONDS_TO_SEND = 60  # that a sender may be silent
SECONDS_TO_FINISH = 1  # for browsers that hold a connection open
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# All that the page asks for. Files, proxies, recordings and other things that Gradio can do are no part of it.
PATHS = ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json")
FOLDERS = ("/assets/", "/static/", "/gradio_api/heartbeat/")
UPLOAD = "/gradio_api/upload"
EVENTS = ("/gradio_api/queue/join", "/gradio_api/run/predict")
CALLS = ("upload", "upload_progress", "queue/join", "queue/data", "run/predict")
# The browser loads nothing from elsewhere, and shows the page inside of no other.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio compiles templates
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# Gradio and the hub's client, which it imports, call nobody.
PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@contextlib.contextmanager
def quiet_gradio() -> Iterator[Path]:
    """Gradio as it must be before it is imported: it calls nobody, and uploads go to a folder that is removed.

    Since it calls nobody, no proxy says anything to it; its clients would stumble over those that they do not know.

    Yields:
      That folder.
    """
    with tempfile.TemporaryDirectory(prefix="facezoo-explore-") as folder:
        proxies = {name: os.environ.pop(name) for name in list(os.environ) if name.lower() in PROXIES}
        os.environ.update(QUIET, GRADIO_TEMP_DIR=folder)
        try:
            yield Path(folder)
        finally:
            del os.environ["GRADIO_TEMP_DIR"]
            os.environ.update(proxies)


@contextlib.contextmanager
def bound_socket(host: str, port: int, exactly: bool) -> Iterator[socket.socket]:
    """A socket that listens at an address of this machine, so that who comes before the server is up only waits.

    Args:
      host: a name or an address.
      port: 0 is any that is free.
      exactly: False takes the next free one where the port is taken.

    Raises:
      UsageError: there is no such address, or no free port.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, ValueError) as error:  # the second of names that no machine can have
        reason = getattr(error, "strerror", None) or "not a name that a machine can have"
        raise UsageError(f"--host={host} is no address of this machine: {reason}") from error
    ports = [port] if exactly or not port else range(port, min(port + PORTS_TRIED, 65536))
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for tried in ports:
            try:
                bound.bind((address[0], tried, *address[2:]))
                bound.listen()
            except OSError as error:
                reason = error.strerror
            else:
                yield bound
                return
    raise UsageError(f"--host={host} --port={port}: {reason}")


def address_of(bound: socket.socket, host: str, token: str | None) -> str:
    """What to open in a browser."""
    query = f"?token={token}" if token else ""
    return f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}/{query}"


def serve(page: Any, bound: socket.socket, host: str, token: str | None, uploads: Path, looks: dict[str, Any]) -> None:
    """Serves a page of Gradio's until Ctrl-C or SIGTERM.

    Args:
      page: `gr.Blocks`.
      bound: where, as `bound_socket` gives it.
      host: as the user knows it.
      token: that every request needs; None needs none.
      uploads: the folder that they go to.
      looks: its theme, style and script.
    """
    import fastapi
    import gradio
    import uvicorn

    app = gradio.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        page,
        path="/",
        server_name=host,
        server_port=bound.getsockname()[1],
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        max_file_size=MOST_UPLOAD_BYTES,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        **looks,
    )
    guard = Guard(app, bound.getsockname()[1], host, token, Uploads(uploads))
    settings = uvicorn.Config(
        guard,
        log_level="error",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
    with _ended_by_signals():
        uvicorn.Server(settings).run(sockets=[bound])


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM end the server only: it raises them once more when it has finished."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Uploads:
    """The folder of uploads, which all together may take so much room; those that nobody asks for go after a while.

    Args:
      folder: of this server alone.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._coming = 0  # bytes

    def have_room(self, num_bytes: int) -> bool:
        """Whether so much more may come."""
        self._remove_old()
        there = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        return there + self._coming + num_bytes <= MOST_WAITING_BYTES

    @contextlib.contextmanager
    def coming(self, num_bytes: int) -> Iterator[None]:
        """Within, so much is on its way; whether all of it has come or not, it goes some time after."""
        self._coming += num_bytes
        try:
            yield
        finally:
            self._coming -= num_bytes
            later = threading.Timer(1.1 * WAITING_SECONDS, self._remove_old)
            later.daemon = True
            later.start()

    def _remove_old(self) -> None:
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with contextlib.suppress(OSError):  # it may have gone by now
                if time.time() - path.stat().st_mtime > WAITING_SECONDS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


class Guesses:
    """Counts wrong tokens, so that nobody tries many.

    Args:
      clock: seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._wrong: collections.deque[tuple[float, str]] = collections.deque(maxlen=MOST_GUESSES)

    def are_too_many(self, address: str) -> bool:
        """Whether this address, or all together, have guessed wrong too often of late."""
        recent = [other for when, other in self._wrong if self._clock() - when < GUESSING_SECONDS]
        return len(recent) == MOST_GUESSES or recent.count(address) >= MOST_GUESSES_OF_ONE

    def add(self, address: str) -> None:
        """One more wrong token."""
        self._wrong.append((self._clock(), address))


class Guard:
    """Lets through what the page itself asks for, and answers everything else by one line (an ASGI application).

    - By name: a request must name the address that is served, so that no foreign name that leads here is answered
      (DNS rebinding).
    - By origin: a request that another site's page makes is refused, so that no site can read or steer this one.
    - By path, size and content: the page's own paths only, which excludes Gradio's for files and proxies; and events
      with plain values only, since files that they name Gradio would copy from anywhere on the disk, or download.
    - By token, where there is one: in the address once, then in a cookie; and not after many wrong ones.

    Args:
      app: what is guarded.
      port: of the server.
      host: its address; only on the machine's own may the name be checked, elsewhere it has names that nobody knows.
      token: or None.
      uploads: what has been sent so far.
    """

    def __init__(self, app, port: int, host: str, token: str | None, uploads: "Uploads | None" = None):
        self.app, self.token, self.uploads = app, token, uploads
        self.events = 0  # that are being answered
        self.names = {f"{f'[{name}]' if ':' in name else name}:{port}" for name in LOOPBACK} if is_local(host) else None
        self.guesses = Guesses()
        self.cookie, self.pass_word = f"facezoo-explore-{port}", secrets.token_urlsafe(32)

    async def __call__(self, scope, receive, send):
        from starlette.requests import ClientDisconnect, Request

        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            with contextlib.ExitStack() as stack, contextlib.suppress(ClientDisconnect):
                answer = self._answer(Request(scope)) or self._refused_by_crowd(scope, stack)
                if scope["method"] == "POST":
                    receive = _in_time(receive)
                if answer is None and scope["path"] in EVENTS and scope["method"] == "POST":
                    body = await Request(scope, receive).body()
                    answer, receive = _refused_by_content(body), _once_more(body, receive)
                await (answer or self.app)(scope, receive, _with_our_headers(send))

    def _refused_by_crowd(self, scope, stack: contextlib.ExitStack):
        """An answer where very much is under way; else what lets through counts until the stack is closed."""
        if scope["method"] != "POST":
            return None
        if scope["path"] in EVENTS:
            if self.events >= MOST_EVENTS:
                return _line("too many requests at once: try again", 429)
            self.events += 1
            stack.callback(self._end_event)
        elif scope["path"] == UPLOAD and self.uploads:
            num_bytes = int(dict(scope["headers"]).get(b"content-length", b"0"))
            if not self.uploads.have_room(num_bytes):
                return _line("too many uploads wait: try again in a minute", 503)
            stack.enter_context(self.uploads.coming(num_bytes))
        return None

    def _end_event(self) -> None:
        self.events -= 1

    def _answer(self, request):
        """What is said instead of letting a request through; None lets it through."""
        if self.names and request.headers.get("host") not in self.names:
            return _line("this name is not served here: open the address that facezoo explore has printed", 403)
        if not _is_of_same_origin(request):
            return _line("another site's page has asked for this: it is refused", 403)
        if self.token is not None and (answer := self._asked_for_token(request)):
            return answer
        if not _is_of_page(request.url.path):
            return _line("nothing of that name", 404)
        return _refused_by_size(request)

    def _asked_for_token(self, request):
        address = request.client.host if request.client else ""
        given = request.query_params.get("token")
        if given is not None and len(self.token or "") < GUESSABLE and self.guesses.are_too_many(address):
            return _line(f"too many wrong tokens: try again in {GUESSING_SECONDS} seconds", 429)
        if _same(given, self.token):
            from starlette.responses import RedirectResponse

            answer = RedirectResponse("/", 303)  # so that the token does not stay in the address
            answer.set_cookie(self.cookie, self.pass_word, httponly=True, samesite="strict")
            return answer
        if _same(request.cookies.get(self.cookie), self.pass_word):
            return None
        if given is not None:
            self.guesses.add(address)
        return _line("a token is needed: open the address that facezoo explore has printed", 401)


def is_local(host: str) -> bool:
    """Whether only this machine reaches the address."""
    return host in LOOPBACK


def _line(text: str, code: int):
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"facezoo: {text}\n", code)


def _same(given: str | None, wanted: str | None) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest((given or "").encode(), (wanted or "").encode())


def _is_of_same_origin(request) -> bool:
    """Whether no page asks, or one from here. Browsers name the page of every request that changes something."""
    origin = request.headers.get("origin")
    return origin is None or urllib.parse.urlsplit(origin).netloc == request.headers.get("host")


def _is_of_page(path: str) -> bool:
    call = path.removeprefix("/gradio_api/") if path.startswith("/gradio_api/") else None
    return path in PATHS or call in CALLS or path == "/gradio_api/theme.css" or path.startswith(FOLDERS)


def _refused_by_size(request):
    """An answer to a body that is too long, or does not say how long it is."""
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not length.isdecimal():
        return _line("a request must say how long it is", 411)
    is_upload = request.url.path == UPLOAD
    most = MOST_UPLOAD_BYTES + FORM_BYTES if is_upload else MOST_MESSAGE_BYTES
    return _line(f"more than {most} bytes", 413) if int(length) > most else None


def _refused_by_content(body: bytes):
    """An answer to an event whose values are not all plain."""
    try:
        values = json.loads(body)["data"]
        is_plain = isinstance(values, list) and all(isinstance(value, PLAIN) for value in values)
    except (ValueError, TypeError, KeyError, RecursionError):
        is_plain = False
    return None if is_plain else _line("no event of this page", 400)


def _in_time(receive):
    """A receiver for which a sender that is silent for long has gone."""

    async def received():
        try:
            return await asyncio.wait_for(receive(), SECONDS_TO_SEND)
        except TimeoutError:
            return {"type": "http.disconnect"}

    return received


def _once_more(body: bytes, receive):
    """A receiver that gives a body that has been read already, then whatever follows."""
    read = [{"type": "http.request", "body": body, "more_body": False}]

    async def received():
        return read.pop() if read else await receive()

    return received


def _with_our_headers(send):
    """A sender that adds HEADERS and takes out what would let other sites read the answer."""

    async def sent(message):
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if not pair[0].lower().startswith(b"access-control-")]
            message["headers"] = kept + [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send(message)

    return sent
