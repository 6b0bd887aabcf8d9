"""The browser in a web browser: who gets in, who does not, and what ends with it."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.support import FIXTURES

pytest.importorskip("textual_serve")
aiohttp = pytest.importorskip("aiohttp")
CHROMIUM = shutil.which("chromium")


class Served(NamedTuple):
    process: Any
    port: int
    token: str
    connections: list[http.client.HTTPConnection]

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        host = headers.pop("Host", f"127.0.0.1:{self.port}")
        connection.putrequest("GET", path, skip_host=True)
        for name, value in ({"Host": host} | headers).items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        self.connections.append(connection)
        response = connection.getresponse()
        self.connections.append(response)  # type: ignore[arg-type]
        return response

    def cookie(self) -> str:
        header = self.get(f"/?token={self.token}").getheader("Set-Cookie") or ""
        return header.split(";")[0]

    def upgrade(self, **headers: str) -> http.client.HTTPResponse:
        key = base64.b64encode(os.urandom(16)).decode()
        asked = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec_WebSocket_Key": key,
            "Sec_WebSocket_Version": "13",
        }
        return self.get("/ws?width=80&height=24", **asked, **headers)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    # A name that a shell would take apart.
    name = tmp_path / "a; touch pwned & $(touch pwned).mat"
    name.write_bytes((FIXTURES / "kinds_v73.mat").read_bytes())
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "matlens", "browse", "--web", str(name)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert process.stderr is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", process.stderr.readline())
    assert found is not None
    opened: list[http.client.HTTPConnection] = []
    yield Served(process, int(found[1]), found[2], opened)
    for connection in opened:
        connection.close()
    process.terminate()
    process.wait()
    process.stderr.close()
    assert not (tmp_path / "pwned").exists()


def children(process: Any) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not listed.exists():
        pytest.skip("children of a process are read from /proc")
    return [int(pid) for pid in listed.read_text().split()]


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that must come, however long it takes on a busy machine."""
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


def test_who_gets_in(served: Served) -> None:
    assert served.get("/").status == 403
    assert served.get("/?token=wrong").status == 403
    assert served.get("/static/js/textual.js").status == 403
    exchanged = served.get(f"/?token={served.token}")
    cookie = exchanged.getheader("Set-Cookie") or ""
    assert exchanged.status == 303 and exchanged.getheader("Location") == "/"
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    mine = cookie.split(";")[0]
    page = served.get("/", Cookie=mine)
    policy = page.getheader("Content-Security-Policy") or ""
    text = page.read().decode()
    assert page.status == 200 and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "http://" not in text and "https://" not in text and served.token not in text
    assert served.get("/static/js/textual.js", Cookie=mine).status == 200


def test_foreign_hosts_and_origins_are_refused(served: Served) -> None:
    mine = served.cookie()
    assert served.get("/", Cookie=mine, Host=f"evil.example:{served.port}").status == 403
    assert served.get(f"/?token={served.token}", Host="evil.example").status == 403
    assert served.get("/", Cookie=mine, Origin="http://evil.example").status == 403
    assert served.get("/", Cookie=mine, Host=f"localhost:{served.port}").status == 200
    own = f"http://127.0.0.1:{served.port}"
    assert served.upgrade(Cookie=mine).status == 403
    assert served.upgrade(Cookie=mine, Origin="http://evil.example").status == 403
    assert served.upgrade(Cookie=mine, Origin="null").status == 403
    assert served.upgrade(Origin=own).status == 403
    assert served.upgrade(Cookie=mine, Origin=own).status == 101


def test_sessions_are_few_and_end_with_the_server(served: Served) -> None:
    mine, own = served.cookie(), f"http://127.0.0.1:{served.port}"
    kept = [served.upgrade(Cookie=mine, Origin=own) for _ in range(4)]
    assert [response.status for response in kept] == [101] * 4
    assert served.upgrade(Cookie=mine, Origin=own).status == 503
    wait_until(lambda: len(children(served.process)) == 4)
    running = children(served.process)
    served.process.send_signal(signal.SIGKILL)
    served.process.wait()
    # Or else programs outlive their server.
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in running))


async def picture(address: str, folder: Path, is_there: Callable[[Any], bool]) -> Any:
    """Pixels of a page in headless Chromium as soon as they are what is waited for, over the DevTools protocol."""
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-sync",
    ]
    flags += ["--disable-component-update", "--window-size=1000,600", "--remote-debugging-port=0"]
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM), *flags, f"--user-data-dir={folder}", address, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        port = None
        while port is None:
            line = (await asyncio.wait_for(process.stderr.readline(), 120)).decode()
            found = re.search(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line)
            port = int(found[1]) if found else None
        pages: list[Any] = []
        async with aiohttp.ClientSession() as session:
            while not pages:
                async with session.get(f"http://127.0.0.1:{port}/json") as response:
                    pages = [page for page in await response.json() if page["type"] == "page"]
                await asyncio.sleep(0.2)
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                for number in range(1, 121):
                    await socket.send_json({"id": number, "method": "Page.captureScreenshot"})
                    while (answer := await socket.receive_json(timeout=120)).get("id") != number:
                        pass
                    data = base64.b64decode(answer["result"]["data"])
                    image = pytest.importorskip("PIL.Image").open(io.BytesIO(data)).convert("RGB")
                    pixels = np.asarray(image).reshape(-1, 3)
                    if is_there(pixels):
                        break
                    await asyncio.sleep(1)
        return pixels
    finally:
        process.kill()
        await process.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_page_shows_the_tree(served: Served, tmp_path: Path) -> None:
    """With the token the browser, dark and in many colours; without it a line of text on white."""

    def is_browser(pixels: Any) -> bool:
        return bool((pixels.max(axis=1) < 80).mean() > 0.6 and len(np.unique(pixels, axis=0)) > 100)

    def is_refusal(pixels: Any) -> bool:
        return bool((pixels.min(axis=1) > 200).mean() > 0.9)

    base = f"http://127.0.0.1:{served.port}/"
    assert is_browser(asyncio.run(picture(f"{base}?token={served.token}", tmp_path / "in", is_browser)))
    assert is_refusal(asyncio.run(picture(base, tmp_path / "out", is_refusal)))
