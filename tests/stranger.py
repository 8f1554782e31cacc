"""An environment as a stranger has one: fresh, and plugins come into it by pip."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path


class Environment:
    """A new virtual environment in ``folder`` with all that this one has, so that torch is not installed again.

    pip and what it installs go to the new one alone; nothing is fetched.
    """

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self._python = folder / "bin" / "python"
        own = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        # addsitedir, not a bare path: rrframe itself may lie in a .pth file there.
        here = [sysconfig.get_path("purelib"), *site.getsitepackages()]
        lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(here)]
        Path(own, "tests_borrowed.pth").write_text("\n".join(lines) + "\n")

    def run(self, *args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run its Python, which must succeed."""
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RRFRAME", "PYTEST"))
        }
        command = [str(self._python), *map(str, args)]
        done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def install(self, source: Path) -> None:
        self.run("-m", "pip", "install", "--no-index", "--no-build-isolation", "--disable-pip-version-check", source)

    def rrframe(self, *args: object, cwd: Path | None = None) -> str:
        return self.run("-m", "rrframe", *args, cwd=cwd).stdout
