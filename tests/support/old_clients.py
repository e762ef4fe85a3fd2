"""An environment with the Serf clients that need a msgpack of the old generation.

asyncserf and trio-serf read msgpack's raw strings, which version 1.0 took away,
so they cannot live beside gossipd itself. msgpack is installed without its C
part, which does not compile with today's Python.

Run as a program, it makes the environment:

    python tests/support/old_clients.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".venv-others" / "serf-clients"
BUILD = ("setuptools<70", "wheel")
LIBRARIES = (
    "msgpack==0.6.2", "trio-serf==0.4.0", "asyncserf==0.21.1", "serfclient==1.2.0", "anyio<4",
    "trio<0.22",
)  # fmt: skip
INSTALL_SECONDS = 300


def old_clients_python() -> Path:
    """Return the interpreter of the environment, which is made if it is not there.

    Raises:
        CalledProcessError: the clients cannot be installed here.
        TimeoutExpired: or not in time.
    """
    program = FOLDER / "bin" / "python"
    if program.exists():
        return program
    unfinished = FOLDER.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", unfinished], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(unfinished / "bin" / "python"), "install"]
    pip += ["--quiet", "--disable-pip-version-check"]
    pure = os.environ | {"MSGPACK_PUREPYTHON": "1"}
    for words in (BUILD, ("--no-build-isolation", *LIBRARIES)):
        subprocess.run(
            [*pip, *words], check=True, env=pure, timeout=INSTALL_SECONDS, capture_output=True
        )
    unfinished.rename(FOLDER)
    return program


if __name__ == "__main__":
    old_clients_python()
