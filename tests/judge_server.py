"""A real HTTP server on this machine that answers questions about pictures, well or badly, as a test tells it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

GOOD = "good"


@dataclass
class Server:
    """Where it listens, what it was asked, and what it is to do: a step for each question, and then good answers.

    A step is ``GOOD``; a number of seconds to say nothing for; a status, a text and maybe headers; bytes to send as the
    answer; or ``None``, to hang up.
    """

    address: str = ""
    steps: list[Any] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    most_at_once: int = 0
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))
    lock: Any = field(default_factory=threading.Lock)
    under_way: int = 0

    def picture(self, number: int) -> np.ndarray:
        """The picture of a question, ``[H, W, 3]`` uint8."""
        url = self.asked[number]["messages"][-1]["content"][0]["image_url"]["url"]
        return decoded(url)


def decoded(url: str) -> np.ndarray:
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)


def good(body: dict[str, Any]) -> bytes:
    """The brighter, the less of it: 1 for black, 5 for white."""
    url = body["messages"][-1]["content"][0]["image_url"]["url"]
    severity = 1 + round(4 * float(decoded(url).mean()) / 255)
    message = {"role": "assistant", "content": f"退化分数：{severity}"}
    return json.dumps({"choices": [{"index": 0, "message": message}]}).encode()


@contextmanager
def running(*steps: Any, together: int = 1) -> Iterator[Server]:
    """A server that listens while the body runs. It answers when ``together`` questions are there."""
    told = Server(steps=list(steps), together=threading.Barrier(together, timeout=120))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with told.lock:
                told.under_way += 1
                told.most_at_once = max(told.most_at_once, told.under_way)
            try:
                self.answer()
            except BrokenPipeError:  # who asked has given up
                pass
            finally:
                with told.lock:
                    told.under_way -= 1

        def answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with told.lock:
                told.asked.append(body)
                told.headers.append(dict(self.headers))
                told.times.append(time.monotonic())
                step = told.steps.pop(0) if told.steps else GOOD
            told.together.wait()
            if step is None:
                self.close_connection = True
                self.connection.close()
                return
            if isinstance(step, float):
                time.sleep(step)
                step = GOOD
            status, sent, headers = 200, step, {}
            if isinstance(step, tuple):
                status, text, *rest = step
                sent, headers = text.encode(), rest[0] if rest else {}
            elif step == GOOD:
                sent = good(body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(sent)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        told.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
