"""What the README tells a reader to type is typed here, and works."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.M | re.S)


@pytest.fixture
def shell_environment(tmp_path: Path) -> dict[str, str]:
    """A shell in which ``gossipd`` is the one under test and no daemon is running."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("GOSSIPD_", "SERF_"))
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["XDG_RUNTIME_DIR"] = str(runtime)
    return environment


@pytest.mark.slow
def test_the_cluster_of_three_runs_as_written(
    tmp_path: Path, shell_environment: dict[str, str]
) -> None:
    assert shutil.which("gossipd", path=shell_environment["PATH"]), "gossipd is not installed"
    (script,) = blocks("sh")
    install, separator, commands = script.partition("\n\n")
    assert separator
    assert "pip install ." in install  # what the gate itself did to get here
    shell = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", commands + "\nwait\n"],
        cwd=tmp_path,
        env=shell_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=60)
    finally:
        # also after a failed command, which ends the shell but not the daemons it started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert shell.returncode == 0, output + logs
    for name, host in (("a", "127.0.0.1"), ("b", "127.0.0.2"), ("c", "127.0.0.3")):
        assert re.search(rf"^{name}\s+{host}:7946\s+alive", output, flags=re.M), output
    assert re.search(r"^c\s+127\.0\.0\.3:7946\s+left", output, flags=re.M), output
    assert '"role": "web"' in output


def test_every_command_that_the_readme_lists_exists() -> None:
    import click

    from gossipd_cli.main import click_group

    listed = set(re.findall(r"^\| `gossipd ([a-z-]+)", README, flags=re.M))
    group = click_group()
    known = set(group.list_commands(click.Context(group)))
    assert listed == known


def test_every_command_but_the_named_ones_takes_json() -> None:
    import click

    from gossipd_cli.main import click_group

    (named,) = re.findall(r"Every command but (.*?) takes `--json`", README)
    group = click_group()
    context = click.Context(group)
    without = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        for part in parts:
            if not any("--json" in parameter.opts for parameter in part.params):
                without.append(name)
    assert without == re.findall(r"`([a-z-]+)`", named)


def test_the_commands_that_rehearse_failures_work_as_written(
    tmp_path: Path, shell_environment: dict[str, str]
) -> None:
    (session,) = blocks("console")
    for line in session.splitlines():
        prompt, _, words = line.partition("gossipd ")
        assert prompt == "$ "
        done = subprocess.run(
            [sys.executable, "-m", "gossipd_cli", *words.split()],
            cwd=tmp_path,
            env=shell_environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, line + "\n" + done.stdout + done.stderr
        assert done.stdout


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)", README))
    assert {"demo", "test"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def test_the_python_examples_compile_and_use_public_names() -> None:
    import gossipd.client

    examples = blocks("python")
    assert len(examples) == 2
    for example in examples:
        compile(example, "README.md", "exec")
        names = re.findall(r"from gossipd\.client import (\w+)", example)
        assert names
        for name in names:
            assert hasattr(gossipd.client, name)
        for method in re.findall(r"\bclient\.(\w+)\(", example):
            assert hasattr(gossipd.client.Client, method), method


def test_every_document_that_is_named_exists() -> None:
    for name in re.findall(r"`(docs/[a-z-]+\.md)`", README):
        assert (ROOT / name).is_file(), name
