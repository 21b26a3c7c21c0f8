"""A real Chromium, driven over the pipe of its debugging protocol: what a page is like once it is drawn.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

_FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip
_STARTED_BY: Final = """
import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3])
os.dup2(reads, 3), os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads its commands from descriptor 3 and answers on 4."""
_WITHIN: Final = 60.0


def chromium() -> str:
    """The browser's path; without one the test is skipped, and fails where everything has to be there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        why = "no Chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


class Browser:
    """One tab. `errors`: what the console and uncaught exceptions said since the page was opened."""

    def __init__(self, commands: int, answers: int) -> None:
        self.errors: list[str] = []
        self._commands = commands
        self._answers = answers
        self._last = 0
        self._session: str | None = None
        self._pending = b""
        self._loaded = False
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime"):
            self._ask(f"{domain}.enable")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        asked: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._commands, json.dumps(asked).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        """The next answer or event."""
        while b"\0" not in self._pending:
            read = os.read(self._answers, 65_536)
            assert read, "the browser ended"
            self._pending += read
        message, _, self._pending = self._pending.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        self._note(found.get("method"), found.get("params", {}))
        return found

    def _note(self, event: str | None, said: dict[str, Any]) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.errors.append(str(said["exceptionDetails"]["text"]))
            case "Log.entryAdded" if said["entry"]["level"] in {"error", "warning"}:
                self.errors.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
            case "Runtime.consoleAPICalled":
                self.errors.append(str(said["type"]))

    def screen(self, width: int, *, dark: bool = False, height: int = 800) -> None:
        """What it is looked at with."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])

    def paper(self) -> None:
        """Show it as it is printed."""
        self._ask("Emulation.setEmulatedMedia", media="print")

    def open(self, address: str) -> None:
        """Show a page, whole."""
        self.errors.clear()
        self._loaded = False
        self._ask("Page.navigate", url=address)
        self._until_loaded()

    def go(self, expression: str) -> None:
        """Evaluate what leads to another page, and wait for it."""
        self._loaded = False
        self.ask(expression)
        self._until_loaded()

    def _until_loaded(self) -> None:
        while not self._loaded:
            self._next()

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press_tab(self) -> None:
        """Go on to the next element by the keyboard."""
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended afterwards; one that hangs is ended as well."""
    path = chromium()
    reads_commands, commands = os.pipe()
    answers, writes_answers = os.pipe()
    started = [sys.executable, "-c", _STARTED_BY, str(reads_commands), str(writes_answers), path, *_FLAGS]
    process = subprocess.Popen(
        [*started, f"--user-data-dir={profile}"],
        pass_fds=(reads_commands, writes_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(reads_commands)
    os.close(writes_answers)
    watch = threading.Timer(_WITHIN, process.kill)
    watch.start()
    try:
        yield Browser(commands, answers)
    finally:
        watch.cancel()
        process.terminate()
        process.wait(timeout=10)
        os.close(commands)
        os.close(answers)
