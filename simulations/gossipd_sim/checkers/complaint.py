"""How a checker complains; who collects the complaints is not its business."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Complain: TypeAlias = Callable[[str, float, str], None]
"""Called with the host's name (empty: the whole cluster), the virtual time, and one sentence."""
