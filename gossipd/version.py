"""The version of this gossipd, as ``pyproject.toml`` has it (a test compares the two)."""

from __future__ import annotations

__version__ = "0.1.0"
