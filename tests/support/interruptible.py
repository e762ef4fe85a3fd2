"""A ``gossipd`` that tells when so many pieces of its work are done, to be interrupted then."""

from __future__ import annotations

PROGRAM = """
import contextlib, sys
import gossipd_sim.progress

@contextlib.contextmanager
def told(label, total):
    done = []
    def advance(by, note):
        done.append(by)
        if len(done) == {count}:
            print("{line}", file=sys.stderr, flush=True)
    yield advance

if __name__ == "__main__":
    gossipd_sim.progress.progress_bar = told
    from gossipd_cli.main import main
    sys.exit(main())
"""


def program_telling(count: int, line: str) -> str:
    """Return the text of a program that says ``line`` on stderr after ``count`` pieces."""
    return PROGRAM.format(count=count, line=line)
