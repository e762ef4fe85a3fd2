"""``gossipd demo``: five daemons on this machine; one is killed, one leaves, one comes back.

Everything told is what the first daemon really says over its socket. Ends by
itself after about half a minute: 0 if all that was promised was seen, 1 if
something was not, 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from gossipd.client.blocking import Client
from gossipd.errors import GossipdError
from gossipd_cli.demo_cast import NAMES, CannotStart, Cast, Interrupts
from gossipd_cli.demo_stage import JsonStage, LiveStage, PlainStage, Stage
from gossipd_cli.exits import run_guarded

SEE_SECONDS = 30.0
"""How long one promise may take; noticing a failure needs about five seconds."""
PAUSE_SECONDS = 2.0
LOOK_SECONDS = 0.1
VICTIM, LEAVER = "cleo", "dan"

EXIT_DONE, EXIT_MISSING, EXIT_INTERRUPTED = 0, 1, 130


class Story:
    """The scenes in order, and what of it was seen.

    Args:
        cast: the daemons; they are started by the first scene.
        stage: where everything is told.
    """

    def __init__(self, cast: Cast, stage: Stage) -> None:
        self._cast = cast
        self._stage = stage
        self._client: Client | None = None
        self._statuses: dict[str, str] = {}
        self._suspected: set[str] = set()
        self._harmed = {VICTIM}
        """Whom the story has killed: only they may be shown as failed."""
        self.seen: dict[str, float] = {}
        self.missing: list[str] = []

    def play(self) -> None:
        """Play all scenes; a promise that is not kept does not stop the others."""
        cast, tell = self._cast, self._stage.tell
        everybody = dict.fromkeys(cast.daemons, "alive")

        tell(f"starting {len(cast.daemons)} daemons: {', '.join(cast.daemons)}")
        started = time.monotonic()
        cast.start()
        self._client = Client(cast.seed.socket)
        self._expect("five alive", everybody, started)
        self._pause()

        tell(f"killing {VICTIM} (no farewell, as in a power cut)")
        started = time.monotonic()
        cast.daemons[VICTIM].kill()
        self._expect("failure noticed", everybody | {VICTIM: "failed"}, started)
        self._pause()

        tell(f"{LEAVER} leaves")
        started = time.monotonic()
        cast.daemons[LEAVER].leave()
        gone = {VICTIM: "failed", LEAVER: "left"}
        self._expect("leave seen", everybody | gone, started)
        self._pause()

        tell(f"starting {VICTIM} again")
        started = time.monotonic()
        cast.daemons[VICTIM].spawn(cast.seed.bind)
        cast.daemons[VICTIM].wait_until_up()
        self._expect("return seen", everybody | {LEAVER: "left"}, started)
        self._pause()

    def close(self) -> None:
        """Close the connection to the first daemon."""
        if self._client is not None:
            self._client.close()

    def _expect(self, promise: str, statuses: dict[str, str], started: float) -> None:
        if self._look_until(lambda: self._statuses == statuses, SEE_SECONDS):
            self.seen[promise] = time.monotonic() - started
            self._stage.tell(f"{promise}, {self.seen[promise]:.1f} s")
        else:
            self.missing.append(promise)
            self._stage.tell(f"not seen within {SEE_SECONDS:g} s: {promise}")

    def _pause(self) -> None:
        self._look_until(lambda: False, PAUSE_SECONDS)

    def _look_until(self, enough: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            self._look()
            if enough():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        """Ask the first daemon once, and tell what has changed since the last look."""
        assert self._client is not None
        members = self._client.members()
        self._stage.show(members)
        viewer = self._cast.seed.name
        for member in members:
            before = self._statuses.get(member.name)
            if member.suspicion is not None and member.name not in self._suspected:
                self._suspected.add(member.name)
                self._stage.tell(
                    f"{viewer} sees {member.name} suspected by {member.suspicion.accuser}"
                )
            elif member.suspicion is None:
                self._suspected.discard(member.name)
            if before != member.status:
                self._stage.tell(f"{viewer} sees {member.name} {member.status}")
            if member.status == "failed" and member.name not in self._harmed:
                wrong = f"no false alarm ({member.name} runs, but was shown as failed)"
                if wrong not in self.missing:
                    self.missing.append(wrong)
        self._statuses = {member.name: member.status for member in members}


@click.command()
@click.option("--keep", is_flag=True, help="Leave the cluster running and say how to talk to it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(keep: bool, as_json: bool) -> None:
    """Show a cluster of five on this machine: failure, leave and return, in half a minute."""
    sys.exit(run_guarded(lambda: run_demo(keep=keep, as_json=as_json)))


def run_demo(*, keep: bool, as_json: bool) -> int:
    """Play the demo and clean up; returns the exit code."""
    interrupts = Interrupts()
    interrupts.install()
    cast: Cast | None = None
    kept = False
    try:
        cast = Cast(interrupts)
        code = _play(cast, as_json)
        if keep:
            _tell_how_to_go_on(cast)
            kept = True
        return code
    except CannotStart as error:
        click.echo(f"gossipd demo: {error}", err=True)
        return EXIT_MISSING
    except KeyboardInterrupt:
        click.echo("gossipd demo: interrupted, ending the daemons", err=True)
        return EXIT_INTERRUPTED
    finally:
        if cast is not None and not kept:
            with interrupts.held():
                cast.close()


def _play(cast: Cast, as_json: bool) -> int:
    stage: Stage
    if as_json:
        stage = JsonStage()
    elif sys.stdout.isatty():
        stage = LiveStage(NAMES[0])
    else:
        stage = PlainStage()
    story = Story(cast, stage)
    with stage:
        try:
            story.play()
        except GossipdError as error:
            story.missing.append(f"the rest of the story ({error})")
        finally:
            story.close()
        stage.conclude(story.seen, story.missing)
    return EXIT_MISSING if story.missing else EXIT_DONE


def _tell_how_to_go_on(cast: Cast) -> None:
    """Say on stderr, which stays readable beside ``--json``, how to use and end the cluster."""
    running = [daemon for daemon in cast.daemons.values() if daemon.is_running]
    first = running[0].socket if running else cast.seed.socket
    lines = [
        "the cluster keeps running; talk to it with",
        f"  gossipd members --socket {first}",
        f"  gossipd monitor --socket {first}",
        "and end it with",
        f"  kill {' '.join(str(daemon.pid) for daemon in running)}; rm -r {cast.folder}",
    ]
    click.echo("\n".join(lines), err=True)
