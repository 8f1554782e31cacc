"""Questions to a server over HTTP: paced, tried again with back-off, told apart by whose fault it is."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from rrframe import RRFrameError, Unanswered

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST = 60.0  # seconds between two tries, unless the server asks for more
_PATIENCE = 600.0  # seconds that a server may ask for
_SHOWN = 300  # characters of what a server says
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class Pace:
    """When the next question may be sent: so many a minute, and none while the server asks to wait."""

    def __init__(self, per_minute: float | None) -> None:
        self._apart = 60 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Returns when it is this question's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._apart
        time.sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Nobody's turn comes before ``seconds`` from now."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Again(Exception):
    """It may go well another time.

    Args:
        reason: What went wrong.
        after: How many seconds the server asks to wait.
        unreachable: Nobody answered at all.
    """

    def __init__(self, reason: str, after: float = 0.0, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.after = after
        self.unreachable = unreachable


@dataclass(frozen=True)
class Line:
    """A line to a server that speaks JSON.

    Args:
        address: That of its interface, such as ``http://127.0.0.1:8000/v1``.
        key: What it is told to let us in; it goes into no message.
        timeout: Seconds without a byte before a question is given up.
        tries: How often a question is sent at most.
        first_wait: Seconds before the second try; doubled for each that follows.
        pace: That of all lines to this server.
        error: Makes the ``RRFrameError`` of the component that asks, from a message and a hint.
        mending: What to do where nobody answers.
    """

    address: str
    key: str | None
    timeout: float
    tries: int
    first_wait: float
    pace: Pace
    error: Callable[[str, str], RRFrameError]
    mending: str

    def ask(self, path: str, body: dict[str, Any], read: Callable[[Any], str]) -> str:
        """What ``read`` finds in the server's answer to ``body``.

        Args:
            path: Behind the address.
            body: JSON.
            read: Raises ``ValueError``, ``LookupError`` or ``TypeError`` where the answer is of another form.

        Raises:
            Unanswered: This question has no answer.
            RRFrameError: The server cannot be reached, or lets nobody in.
        """
        waits = random.Random()
        for tried in range(1, self.tries + 1):
            self.pace.wait()
            try:
                return self._read(self._sent(path, body), read)
            except Again as again:
                last = again
            if last.after > _PATIENCE:
                raise self.error(f"{self.address} asks to wait {last.after:.0f} s: {last}", "run again after that")
            self.pace.hold(last.after)
            if tried < self.tries:
                wait = min(_LONGEST, self.first_wait * 2 ** (tried - 1)) * waits.uniform(0.5, 1.5)
                time.sleep(max(wait, last.after))
        if last.unreachable:
            raise self.error(f"cannot reach {self.address}: {last}", self.mending)
        raise Unanswered(f"no answer in {self.tries} tries; the last: {last}") from last

    def _read(self, raw: bytes, read: Callable[[Any], str]) -> str:
        try:
            return read(json.loads(raw))
        except (ValueError, LookupError, TypeError):
            raise Again(f"the server sent what is no answer: {self._shown(raw)}") from None

    def _sent(self, path: str, body: dict[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), headers)
        try:
            with self._opener().open(request, timeout=self.timeout) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error.code, error.headers, _rest(error)) from None
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)  # urllib wraps what goes wrong before the answer
            if isinstance(cause, TimeoutError):
                raise Again(f"nothing came for {self.timeout:g} s") from None
            nobody = isinstance(cause, (ConnectionRefusedError, socket.gaierror, ssl.SSLError))
            raise Again(self._shown(str(cause) or type(cause).__name__), unreachable=nobody) from None

    def _refusal(self, code: int, headers: Any, raw: bytes) -> Exception:
        said = f"the server says {code}: {self._shown(raw)}"
        if code in _AGAIN:
            return Again(said, _seconds(headers.get("Retry-After")))
        if code in (401, 403):
            return self.error(said, "key is the name of the environment variable that holds the server's key")
        if code == 404:
            return self.error(said, f"see base_url and model; {self.address}/models lists those it has")
        if 300 <= code < 400:
            return self.error(f"{self.address} sends us elsewhere ({code})", "name the final address in base_url")
        return Unanswered(said)

    def _opener(self) -> urllib.request.OpenerDirector:
        local = is_local(self.address)
        return urllib.request.build_opener(_NoRedirects, *([urllib.request.ProxyHandler({})] if local else []))

    def _shown(self, said: bytes | str) -> str:
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        text = " ".join((text.replace(self.key, "***") if self.key else text).split())
        return text[:_SHOWN] + ("..." if len(text) > _SHOWN else "") or "nothing"


def is_local(address: str) -> bool:
    """Whether ``address`` is on this machine."""
    return urlsplit(address).hostname in _LOCAL


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The standard library would send the key to wherever it is sent."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def _rest(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read()
    except (OSError, http.client.HTTPException):
        return b""


def _seconds(retry_after: str | None) -> float:
    """The header of that name: seconds, or a date."""
    if not retry_after:
        return 0.0
    with contextlib.suppress(ValueError):
        return max(0.0, float(retry_after))
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
