"""Installs packages quietly into the environment that runs it, and says meanwhile how far it is.

python .ci/install.py WHAT PIP_ARGUMENT...
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Final

_EVERY_SECONDS: Final = 2.0
_LINES_EVERY_SECONDS: Final = 30.0


def main() -> int:
    """Install, and give pip's exit status."""
    what, arguments = sys.argv[1], sys.argv[2:]
    print(f"Installing {what}.", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "pip", "install", "-qq", *arguments]
        pip = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        told = began
        while pip.poll() is None:
            time.sleep(_EVERY_SECONDS)
            live = sys.stdout.isatty()
            if live or time.monotonic() - told > _LINES_EVERY_SECONDS:
                told = time.monotonic()
                start, end = ("\r", "") if live else ("", "\n")
                print(f"{start}  {_size()}, {_since(began)}", end=end, flush=True)
        if pip.returncode:
            said.seek(0)
            print(f"\n{said.read()}", file=sys.stderr)
            return pip.returncode
    start = "\r" if sys.stdout.isatty() else ""
    print(f"{start}  Done: {_size()} in all, {_since(began)}.", flush=True)
    return 0


def _size() -> str:
    folder = Path(sysconfig.get_paths()["purelib"])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 1e9:.1f} GB"


def _since(began: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


if __name__ == "__main__":
    sys.exit(main())
