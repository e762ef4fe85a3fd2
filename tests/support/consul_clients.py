"""Published clients of Consul's HTTP API, each in a folder of its own.

py-consul and python-consul2 are both called ``consul``, so they cannot be in one
environment; the client for Node.js comes from npm.

Run as a program, it installs all of them:

    python tests/support/consul_clients.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".venv-others" / "consul-clients"
PROGRAMS = Path(__file__).parents[1] / "interop" / "clients"
PYTHON_CLIENTS = ("py-consul==1.8.0", "python-consul2==0.1.5")
NODE_CLIENT = "consul@2.0.1"
INSTALL_SECONDS = 300
RUN_SECONDS = 90
SYSTEM_TRUST = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where Debian has the certificates that its programs trust."""


def install(client: str) -> Path:
    """Return the folder of ``client``, which is made if it is not there.

    Raises:
        CalledProcessError: it cannot be installed here.
        TimeoutExpired: or not in time.
        OSError: there is no program that installs it.
    """
    folder = FOLDER / client.replace("=", "")
    if folder.exists():
        return folder
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    if client == NODE_CLIENT:
        words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix"]
    else:
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        words += ["--target"]
    subprocess.run(
        [*words, unfinished, client],
        check=True,
        timeout=INSTALL_SECONDS,
        capture_output=True,
        env=_trusting_the_system(),
    )
    unfinished.rename(folder)
    return folder


def _trusting_the_system() -> dict[str, str]:
    """Return an environment in which npm trusts whom the system trusts, as pip and apt do.

    Of itself it has a list of its own and tries for minutes where a proxy signs anew.
    """
    trusted = {"NODE_EXTRA_CA_CERTS": str(SYSTEM_TRUST)} if SYSTEM_TRUST.exists() else {}
    return trusted | os.environ


def run(client: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program of the tests that calls ``client``, which is installed."""
    folder = install(client)
    if client == NODE_CLIENT:
        command = ["node", str(PROGRAMS / "consul_calls.js")]
        environment = os.environ | {"NODE_PATH": str(folder / "node_modules")}
    else:
        command = [sys.executable, "-W", "ignore", str(PROGRAMS / "consul_calls.py")]
        environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [*command, *words],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
        env=environment,
    )


if __name__ == "__main__":
    for each in (*PYTHON_CLIENTS, NODE_CLIENT):
        install(each)
