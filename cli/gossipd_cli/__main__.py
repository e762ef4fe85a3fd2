"""``python -m gossipd_cli``: the same as the command ``gossipd``."""

from __future__ import annotations

import sys

from gossipd_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
