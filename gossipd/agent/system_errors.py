"""What the system says went wrong, in its own short words."""

from __future__ import annotations

import os


def reason_of(error: OSError) -> str:
    """Return the reason in lower case, without the address a library may have added."""
    if error.errno is None or error.errno <= 0:
        return (error.strerror or str(error)).lower()
    return os.strerror(error.errno).lower()
