"""Firefox, driven by its own remote protocol Marionette: JSON arrays over a socket, each with its length before it.

Playwright cannot drive a distribution's Firefox, and geckodriver, which could, is in no Debian package.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's reference in WebDriver's JSON


class Firefox:
    """A browser with a new profile in `folder`, headless unless a display is named; a context manager that ends it."""

    def __init__(self, folder: Path, *, display: str | None = None, preferences: str = "") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder.mkdir(exist_ok=True)
        (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\n{preferences}')
        command = [str(FIREFOX), "--marionette", "--no-remote", "--profile", str(folder)]
        environment = os.environ | {"HOME": str(folder)} | ({"DISPLAY": display} if display else {})
        command += [] if display else ["--headless"]
        with open(folder / "firefox.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.socket = self._connect(port)
        self.sent = 0
        self._read()  # its greeting
        self.command("WebDriver:NewSession", {"pageLoadStrategy": "normal"})

    def _connect(self, port: int) -> socket.socket:
        for _ in range(600):
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), timeout=120)
            time.sleep(0.1)
        raise AssertionError("Firefox does not start")

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def _read(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self.socket.recv(1)
        body = b""
        while len(body) < int(length[:-1]):
            body += self.socket.recv(int(length[:-1]) - len(body))
        return json.loads(body)

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        self.sent += 1
        message = json.dumps([0, self.sent, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        assert error is None, f"{name}: {error}"
        return result.get("value", result) if isinstance(result, dict) else result

    def goto(self, url: str) -> None:
        self.command("WebDriver:Navigate", {"url": url})

    def evaluate(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        script = f"const done = arguments[0]; Promise.resolve({script}).then(done);"
        return self.command("WebDriver:ExecuteAsyncScript", {"script": script, "args": [], "timeout": 100_000})

    def element(self, selector: str) -> str:
        found = self.command("WebDriver:FindElement", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        self.command("WebDriver:ElementClick", {"id": self.element(selector)})

    def follow(self, selector: str) -> None:
        """Click an element that leads to another page, and wait for that page."""
        self.evaluate("document.body.dataset.left = 'yes'")
        self.click(selector)
        self.wait_for("body:not([data-left])")

    def press(self, key: str) -> None:
        self.command("WebDriver:ElementSendKeys", {"id": self.element("body"), "text": key})

    def wait_for(self, selector: str) -> None:
        for _ in range(600):
            with contextlib.suppress(AssertionError):  # the page may be unloaded meanwhile
                if self.evaluate(f"document.querySelector({json.dumps(selector)}) !== null"):
                    return
            time.sleep(0.05)
        raise AssertionError(f"{selector} does not appear")
