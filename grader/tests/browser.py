"""A page in a real Chromium, spoken to over its DevTools protocol."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

START_S = 60.0
ANSWER_S = 60.0
SCREEN = (1400, 900)


class Page:
    """One tab. What it asks the network for, and what it complains about, is noted down."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._last = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        until = time.monotonic() + ANSWER_S
        while time.monotonic() < until:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer}"
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)
        raise AssertionError(f"chromium did not answer {method} within {ANSWER_S:g} s")

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        done = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def open(self, path: Path) -> None:
        self.go_to(path.resolve().as_uri())

    def go_to(self, address: str) -> None:
        self.command("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    @contextlib.contextmanager
    def sized(self, width: int, height: int) -> Iterator[None]:
        """As on a screen of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)
        try:
            self.wait(f"innerWidth === {width} && innerHeight === {height}")
            yield
        finally:
            self.command("Emulation.clearDeviceMetricsOverride")

    def wait(self, condition: str) -> None:
        until = time.monotonic() + ANSWER_S
        while not self.run(condition):
            assert time.monotonic() < until, f"it never came true: {condition}"
            time.sleep(0.02)

    def press(self, key: str, **more: Any) -> None:
        """A key as a keyboard sends it."""
        text = {"text": key} if len(key) == 1 else {}
        self.command("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **more)
        self.command("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    def tree(self) -> list[tuple[str, str]]:
        """What a screen reader finds: (role, name)."""
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [
            (node.get("role", {}).get("value", ""), node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored")
        ]


@contextlib.contextmanager
def chromium() -> Iterator[Page]:
    """A fresh one, gone at the end."""
    import websocket

    program = shutil.which("chromium")
    assert program is not None
    with contextlib.ExitStack() as stack:
        profile = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        command += [f"--window-size={SCREEN[0]},{SCREEN[1]}", "--remote-allow-origins=*", "--no-first-run"]
        command += [f"--user-data-dir={profile}", "--disable-background-networking", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 20)
        stack.callback(process.kill)
        port = _port(profile / "DevToolsActivePort", process)
        with urlopen(f"http://127.0.0.1:{port}/json", timeout=ANSWER_S) as answer:
            tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
        socket = websocket.create_connection(tabs[0]["webSocketDebuggerUrl"], timeout=ANSWER_S)
        stack.callback(socket.close)
        yield Page(socket)


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(file.read_text().splitlines()[0])
        time.sleep(0.05)
    raise AssertionError(f"chromium did not start within {START_S:g} s (it ended with {process.poll()})")
