"""Other Python versions on this machine, each with a bare environment for the simulator.

Found on ``PATH`` under their versioned names and among pyenv's; those that do
not start, as pyenv's shims of versions that are not chosen, do not count.

Run as a program, it makes the environments that are missing, with the few
libraries that a simulated cluster imports:

    python tests/support/interpreters.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 16)
"""The first version that gossipd supports, and one beyond those that are looked for."""
LIBRARIES = ("msgpack", "cryptography")
ENVIRONMENTS = Path(__file__).parents[2] / ".venv-others"


def other_interpreters() -> dict[str, Path]:
    """Return a program for each minor version but our own, by version as in ``3.12``."""
    found: dict[str, Path] = {}
    for minor in range(OLDEST[1], NEWEST[1]):
        if (3, minor) == sys.version_info[:2]:
            continue
        version = f"3.{minor}"
        program = next((one for one in _candidates(version) if _starts(one, version)), None)
        if program is not None:
            found[version] = program
    return found


def environment_of(version: str) -> Path | None:
    """Return the interpreter of the environment made for ``version``, if it is there."""
    program = ENVIRONMENTS / version / "bin" / "python"
    return program if program.exists() else None


def make_environment(version: str, program: Path) -> None:
    """Make the environment of ``version``, once.

    Raises:
        CalledProcessError: it cannot be made, or the libraries cannot be installed.
    """
    if environment_of(version) is not None:
        return
    folder, unfinished = ENVIRONMENTS / version, ENVIRONMENTS / f"{version}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run([program, "-m", "venv", "--without-pip", unfinished], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(unfinished / "bin" / "python"), "install"]
    subprocess.run([*pip, "--quiet", "--disable-pip-version-check", *LIBRARIES], check=True)
    unfinished.rename(folder)


def _candidates(version: str) -> list[Path]:
    name = f"python{version}"
    on_path = [Path(folder) / name for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [
        one for one in (*on_path, *sorted(pyenv.glob(f"{version}.*/bin/{name}"))) if one.exists()
    ]


def _starts(program: Path, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


def main() -> None:
    """Make all environments that are missing."""
    found = other_interpreters()
    for version, program in found.items():
        make_environment(version, program)
    sys.stdout.write(f"other Pythons: {', '.join(found) or 'none'}\n")


if __name__ == "__main__":
    main()
