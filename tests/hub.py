"""A server that answers as the Hugging Face hub does, for what fetching asks of it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves ``files`` of every repository.

    Args:
        files: Path to content; what ends in ``.json`` is small, everything else is kept as the hub keeps large files.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.ranges: list[str | None] = []
        """The ``Range`` of each request for a file's content."""
        self.stop_after: int | None = None
        """Send so many bytes of a file, and then nothing until ``go_on``."""
        self.cut_after: int | None = None
        """Send so many bytes of a file, and break the connection."""
        self.gated = False
        self.go_on = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    hub = Hub(files)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        hub.shutdown()
        hub.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        if self._refused():
            return
        content = self._file()
        if content is not None:
            self._head(200, content, len(content))

    def do_GET(self) -> None:
        if self._refused():
            return
        if self.path.startswith("/api/"):
            self._api()
            return
        content = self._file()
        if content is None:
            return
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        rest = content[start:]
        self._head(206 if asked else 200, content, len(rest), start)
        self._send(rest)

    def _send(self, rest: bytes) -> None:
        hub = self.server
        stop = hub.stop_after if hub.stop_after is not None else hub.cut_after
        if stop is None or stop >= len(rest):
            self.wfile.write(rest)
            return
        self.wfile.write(rest[:stop])
        self.wfile.flush()
        if hub.stop_after is not None:
            hub.go_on.wait(60)
        self.close_connection = True
        self.connection.close()

    def _refused(self) -> bool:
        if self.server.gated:
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("X-Error-Message", "Access to this repository is restricted")
            self.send_header("Content-Length", "0")
            self.end_headers()
        return self.server.gated

    def _api(self) -> None:
        if "/tree/" in self.path:
            answer: object = [_entry(path, content) for path, content in self.server.files.items()]
        else:
            answer = {"id": "owner/name", "sha": COMMIT, "siblings": [], "private": False, "tags": [], "downloads": 0}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self) -> bytes | None:
        path = self.path.partition("/resolve/")[2].partition("/")[2]
        content = self.server.files.get(path)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
        return content

    def _head(self, status: int, content: bytes, length: int, start: int = 0) -> None:
        self.send_response(status)
        self.send_header("X-Repo-Commit", COMMIT)
        path = self.path.partition("/resolve/")[2].partition("/")[2]
        etag = _etag(path, content)
        self.send_header("ETag", f'"{etag}"')
        if not path.endswith(".json"):
            self.send_header("X-Linked-ETag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(content)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(length))
        self.end_headers()


def _etag(path: str, content: bytes) -> str:
    return hashlib.sha1(content).hexdigest() if path.endswith(".json") else hashlib.sha256(content).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": path,
        "size": len(content),
        "oid": hashlib.sha1(content).hexdigest(),
    }
    if not path.endswith(".json"):
        entry["lfs"] = {"oid": _etag(path, content), "size": len(content), "pointerSize": 134}
    return entry
