"""A headless Chromium, driven by the DevTools protocol through pipes.

No library: messages are JSON, ended by a zero byte, on the descriptors 3 and 4 of the
browser (``--remote-debugging-pipe``). Calls wait for their answer; what the page says on
its console or fails at is kept.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from support.waiting import NotInTime

ANSWER_SECONDS = 30.0
_WITH_PIPES = 'exec "$@" 3<&"$IN" 4>&"$OUT"'
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-pipe",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--lang=en-GB",
)


def find_chromium() -> str | None:
    """Return the browser's program, ``None`` if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Failed(AssertionError):
    """An expression could not be evaluated on the page."""


class Chromium:
    """One browser with one page; use it as a context manager.

    Args:
        program: of the browser.
        folder: for its profile.
        flags: further ones.
    """

    def __init__(self, program: str, folder: Path, *flags: str) -> None:
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()
        environment = {"IN": str(to_read), "OUT": str(to_write), "HOME": str(folder)}
        self._process = subprocess.Popen(
            [
                *("bash", "-c", _WITH_PIPES, "bash", program, *FLAGS, *flags),
                f"--user-data-dir={folder}/p",
            ],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
        os.close(to_read)
        os.close(to_write)
        self._left = b""
        self._number = 0
        self._session = ""
        self.complaints: list[str] = []
        """Errors and warnings that the page caused."""

    def __enter__(self) -> Chromium:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)  # the browser ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _next(self, deadline: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._left:
            seconds = deadline - time.monotonic()
            if seconds <= 0 or not select.select([self._in], [], [], seconds)[0]:
                raise NotInTime(f"the browser did not answer {what}")
            portion = os.read(self._in, 1 << 20)
            if not portion:
                raise AssertionError(f"the browser ended at {what}")
            self._left += portion
        raw, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                text = details.get("exception", {}).get("description", details["text"])
                self.complaints.append(f"exception: {text}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(f"console: {params['args']}")
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                entry = params["entry"]
                self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")

    def open(self, url: str) -> None:
        """Go to ``url``."""
        self.call("Page.navigate", url=url)

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression on the page; promises are awaited."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise Failed(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 30.0) -> Any:
        """Return the value of ``expression`` once it is true; it may fail until then."""
        deadline = time.monotonic() + seconds
        failure = ""
        while time.monotonic() < deadline:
            try:
                value = self.run(expression)
            except Failed as error:
                value, failure = None, str(error)
            if value:
                return value
            time.sleep(0.02)
        seen = f"{failure} {self.complaints}"
        raise NotInTime(f"{expression} is not true after {seconds} s; {seen}")

    def key(self, key: str, code: str = "", text: str = "", modifiers: int = 0) -> None:
        """Press and let go of a key."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=code or key,
                modifiers=modifiers,
                windowsVirtualKeyCode={"Tab": 9, "Enter": 13, "Escape": 27}.get(key, 0),
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """Give the page another size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def prefer(self, scheme: str) -> None:
        """Let the machine prefer ``dark`` or ``light``."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        """Write what the page looks like, as PNG."""
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def accessibility(self) -> list[dict[str, Any]]:
        """Return the nodes that assistive technology is told of."""
        nodes: list[dict[str, Any]] = self.call("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node.get("ignored")]
