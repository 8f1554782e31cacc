"""Commands as processes of their own, without the seconds that Python and torch take to start: each is forked from a
process that has imported what most commands import, and has done nothing else. Run as a program, this is that process.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

# Not among them: huggingface_hub and what imports it, which read the environment as they are imported.
_IMPORTED = (
    "pandas",  # pyarrow imports it where it is
    "skimage.data",
    "torch._dynamo",  # every optimizer imports it
    "torch.utils.tensorboard",
    "rrframe.cli.main",
    "rrframe.evaluation.run",
    "rrframe.restoring.run",
    "rrframe.synthesis.run",
    "rrframe.testing",
    "rrframe.training.report",
    "rrframe.training.run",
)


class Started:
    """``rrframe ARGS...`` or ``python -c CODE`` in a process of its own, in folder ``cwd`` and environment ``env``.

    One at a time: the next ends the one before.
    """

    _last: ClassVar[Started | None] = None

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        if Started._last is not None:
            Started._last.kill()
            Started._last.wait()
        Started._last = self
        self.command = [*command]
        self._code: int | None = None
        self._folder = tempfile.TemporaryDirectory()
        self._streams = [Path(self._folder.name, name) for name in ("out", "err")]
        asked = {"command": self.command, "cwd": str(cwd), "env": dict(env), "streams": [*map(str, self._streams)]}
        self._server = _server()
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(asked).encode() + b"\n")
        self.pid = self._number()

    def poll(self) -> int | None:
        """How it ended, if it has."""
        if self._code is None and select.select([self._server.stdout], [], [], 0)[0]:
            self._code = self._number()
        return self._code

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: It takes longer than ``seconds``, and has been killed.
        """
        late = self._code is None and not select.select([self._server.stdout], [], [], seconds)[0]
        if late:
            self.kill()
        if self._code is None:
            self._code = self._number()
        out, err = (path.read_text() for path in self._streams)
        if late:
            raise subprocess.TimeoutExpired(self.command, seconds, out, err)
        return subprocess.CompletedProcess(self.command, self._code, out, err)

    def _number(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """The same, waited for."""
    return Started(command, cwd=cwd, env=env).wait(seconds)


@functools.cache
def _server() -> subprocess.Popen[bytes]:
    # No buffers: what has been read ahead, select does not see.
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def _serve() -> None:
    """Fork a process for each line of stdin, and tell its number and how it ends. It returns in each of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(_leave, os.getpid())  # the first to be registered is the last to be called
    for name in _IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            return _play(**json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return None


def _leave(server: int) -> None:
    """End without taking apart all that was imported, which takes longer than many a command."""
    if os.getpid() != server:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_code)


def _play(command: list[str], cwd: str, env: dict[str, str], streams: list[str]) -> None:
    for number, path in enumerate((os.devnull, *streams)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0:1] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))  # for the folder of this file
    if command[0] == "rrframe":
        from rrframe.cli.main import main

        sys.argv = command
        main()
    _, option, code = command
    assert option == "-c", command
    sys.argv = [option]
    sys.path.insert(0, "")
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "<string>", "exec"), names)


_code = 1  # what a process ends with that ends by an error

if __name__ == "__main__":
    try:
        _serve()
        _code = 0
    except SystemExit as end:
        _code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
