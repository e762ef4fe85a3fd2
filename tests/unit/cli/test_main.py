"""The command line as a whole, before any command runs."""

from __future__ import annotations

import pytest

from gossipd_cli import main as main_module


def test_ctrl_c_while_a_command_is_loaded_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "_command", load)
    assert main_module.main(["services"]) == 130
    assert capsys.readouterr() == ("", "")
