"""A headless Chromium that says what a page does: errors, requests, sizes, pictures (DevTools protocol over pipes)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

DESKTOP, PHONE = 1280, 390


class Seen(NamedTuple):
    """What a page did."""

    errors: list[str]
    requests: list[str]
    value: Any
    """Of the expression that was asked for."""


class Browser:
    """One browser, one page at a time."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int) -> None:
        self._process, self._to, self._from = process, to, back
        self._rest, self._count, self.events = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            found = os.read(self._from, 1 << 20)
            if not found:
                raise RuntimeError("the browser has gone")
            self._rest += found
        text, _, self._rest = self._rest.partition(b"\0")
        return json.loads(text)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        told: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if getattr(self, "_session", None):
            told["sessionId"] = self._session
        os.write(self._to, json.dumps(told).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._count:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def _until(self, method: str) -> None:
        while not any(event["method"] == method for event in self.events):
            self.events.append(self._message())

    def look(
        self, page: Path, width: int, expression: str = "null", *, script: bool = True, media: str = "screen",
        picture: Path | None = None,
    ) -> Seen:  # fmt: skip
        """Open a page at a width; evaluate an expression in it, and take a picture of all of it."""
        self.events.clear()
        phone = width < 600
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Emulation.setEmulatedMedia", media=media)
        self.call("Page.navigate", url=page.resolve().as_uri())
        self._until("Page.loadEventFired")
        # Two frames, so that everything that observes sizes has run.
        wait = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))" if script else "0"
        self.call("Runtime.evaluate", expression=wait, awaitPromise=True)
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        if picture is not None:
            shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
            picture.write_bytes(base64.b64decode(shot["data"]))
        errors = [json.dumps(event["params"]) for event in self.events if _is_error(event)]
        requests = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return Seen(errors, requests, told["result"].get("value"))


def _is_error(event: dict[str, Any]) -> bool:
    if event["method"] == "Runtime.exceptionThrown":
        return True
    entry = event["params"].get("entry", {})
    called = event["params"].get("type") if event["method"] == "Runtime.consoleAPICalled" else None
    return entry.get("level") in ("error", "warning") or called in ("error", "warning", "assert")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; stop it in the end."""
    assert CHROMIUM is not None
    there, back = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as home:
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--no-first-run", "--disable-extensions", "--disable-background-networking",
            f"--user-data-dir={home}", "--remote-debugging-pipe",
        ]  # fmt: skip

        def pipes() -> None:
            # The protocol's pipes are descriptors 3 and 4 of the browser.
            to, result = os.dup(there[0]), os.dup(back[1])
            os.dup2(to, 3)
            os.dup2(result, 4)

        process = subprocess.Popen(
            [CHROMIUM, *options],
            preexec_fn=pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there[0])
        os.close(back[1])
        try:
            yield Browser(process, there[1], back[0])
        finally:
            os.close(there[1])
            os.close(back[0])
            process.terminate()
            process.wait(timeout=20)
