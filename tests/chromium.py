"""Drives Debian's Chromium by the DevTools Protocol, over the websockets library of the lock.

A test that has no Chromium is skipped. Waiting is always for a condition in the page.
"""

import base64
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium")
WHY_NOT = "Chromium is not installed"
PATIENT = 120.0  # seconds, on a busy machine
# Without these it asks hosts of its own at start, which a closed network refuses. Its sandbox does not run as root.
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-proxy-server", "--hide-scrollbars", "--remote-debugging-port=0"),
)


@dataclass
class Page:
    """A page in Chromium."""

    connection: ClientConnection
    session: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Returns what Chromium answers to a method of the protocol; events are passed over."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        self.connection.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.connection.recv(timeout=PATIENT))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def value(self, script: str) -> Any:
        """Returns the value of an expression in the page; a promise is awaited."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, url: str) -> None:
        """Goes to an address, and returns when its document and scripts are loaded."""
        answer = self.send("Page.navigate", url=url)
        assert not answer.get("errorText"), answer
        self.wait_for(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def wait_for(self, condition: str) -> None:
        """Returns when a condition holds in the page."""
        look = f"const look = () => ({condition}) ? hold(true) : setTimeout(look, 20)"
        self.value(f"new Promise((hold) => {{ {look}; look(); }})")

    def text(self, selector: str) -> str:
        """Returns the visible text of the first such element, which is waited for."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(found)
        return str(self.value(f"{found}.innerText")).strip()

    def click(self, selector: str) -> None:
        """Moves the mouse to the middle of the first such element, which is waited for, and clicks."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(found)
        box = self.value(
            f"(() => {{ const one = {found}; one.scrollIntoView({{block: 'center'}}); const box ="
            " one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Types a text into an element."""
        self.click(selector)
        self.send("Input.insertText", text=text)

    def resize(self, width: int, height: int) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def photograph(self, file: Path) -> None:
        """Writes what is visible as PNG."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium() -> Iterator[Page]:
    """Runs Chromium with an empty page until the block ends."""
    assert PROGRAM is not None
    with TemporaryDirectory(prefix="wardround-chromium-", ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, *_QUIET, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as browser:
            assert browser.stderr is not None
            address = _address(browser.stderr)
            # Whatever else it says is read too, or it would stop when the pipe is full.
            rest = threading.Thread(target=browser.stderr.read)
            rest.start()
            try:
                with connect(address, proxy=None, max_size=None, open_timeout=PATIENT) as connection:
                    page = Page(connection)
                    target = page.send("Target.createTarget", url="about:blank")["targetId"]
                    attached = page.send("Target.attachToTarget", targetId=target, flatten=True)
                    yield Page(connection, attached["sessionId"], page.numbers)
            finally:
                browser.terminate()
                rest.join()


def _address(stderr: IO[bytes]) -> str:
    """Returns where Chromium listens, which it says on stderr."""
    said = []
    for line in stderr:
        said.append(line.decode(errors="replace"))
        if said[-1].startswith("DevTools listening on "):
            return said[-1].removeprefix("DevTools listening on ").strip()
    raise AssertionError(f"Chromium ended: {''.join(said)}")
