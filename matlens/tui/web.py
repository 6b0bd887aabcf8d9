"""The browser in a web browser, for the one person who was given its address.

Around `textual_serve` stands a guard: the server listens on the loopback interface alone;
a random token in the address is exchanged for a cookie that scripts and other sites cannot
use; page and WebSocket answer only to their own host and origin; the page may load nothing
from elsewhere; programs are started without a shell, are few, and end with the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from matlens.errors import MissingExtra

try:
    from aiohttp import web
    from textual_serve.app_service import AppService
    from textual_serve.server import Server, to_int
except ImportError:
    raise MissingExtra("textual-serve is not installed: pip install 'matlens[web]'") from None

HOST = "127.0.0.1"
COOKIE = "matlens-session"
SESSIONS = 4
MESSAGE_BYTES = 1 << 20
_PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>matlens</title>
<link rel="stylesheet" href="/static/css/xterm.css">
<style>html, body, #terminal {{ margin: 0; height: 100%; background: #121212; overflow: hidden; }}</style>
<script src="/static/js/textual.js"></script>
</head>
<body>
<div id="terminal" class="textual-terminal" data-session-websocket-url="ws://{host}/ws" data-font-size="15"></div>
</body>
</html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Program(AppService):
    """One session: a program that is started without a shell, and ends when its input does."""

    argv: Sequence[str] = ()

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Any:
        environment = self._build_environment(width=width, height=height) | {"MATLENS_PARENT": "stdin"}
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self.argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        self._stdin = self._process.stdin
        return self._process

    def kill(self) -> None:
        """End the program at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


class _Server(Server):
    """Serves programs to whoever holds the token."""

    def __init__(self, argv: Sequence[str], port: int) -> None:
        super().__init__(" ".join(argv), host=HOST, port=port, title="matlens")
        self._argv = argv
        self._cookie = secrets.token_urlsafe(32)
        self._running: set[_Program] = set()
        self.token = secrets.token_urlsafe(32)
        self.hosts = frozenset(f"{name}:{port}" for name in (HOST, "localhost"))

    async def _make_app(self) -> web.Application:
        app: web.Application = await super()._make_app()
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(self._protect)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the address was told already."""

    async def on_shutdown(self, app: web.Application) -> None:
        for program in list(self._running):
            program.kill()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse foreign hosts, foreign origins, and whoever has neither token nor cookie."""
        origin = request.headers.get("Origin")
        origins = {f"http://{host}" for host in self.hosts}
        if request.host not in self.hosts or (origin is not None and origin not in origins):
            raise web.HTTPForbidden(text="this host or origin is not served")
        if request.path == "/ws" and origin is None:
            raise web.HTTPForbidden(text="a WebSocket tells its origin")
        given = request.query.get("token", "")
        if request.path == "/" and secrets.compare_digest(given.encode(), self.token.encode()):
            response = web.HTTPSeeOther("/")
            response.set_cookie(COOKIE, self._cookie, httponly=True, samesite="Strict", path="/")
            raise response
        known = request.cookies.get(COOKIE, "")
        if not secrets.compare_digest(known.encode(), self._cookie.encode()):
            raise web.HTTPForbidden(text="open the address that matlens has printed, with its token")
        return await handler(request)

    async def _protect(self, request: web.Request, response: web.StreamResponse) -> None:
        host = request.host if request.host in self.hosts else HOST
        response.headers.update(
            {
                "Content-Security-Policy": _POLICY.format(host=host),
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            }
        )

    async def handle_index(self, request: web.Request) -> web.Response:
        return web.Response(text=_PAGE.format(host=request.host), content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if len(self._running) >= SESSIONS:
            raise web.HTTPServiceUnavailable(text=f"{SESSIONS} sessions are open")
        websocket = web.WebSocketResponse(heartbeat=15, max_msg_size=MESSAGE_BYTES)

        async def close() -> None:
            await websocket.close()

        program = _Program(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=close,
            download_manager=self.download_manager,
        )
        program.argv = self._argv
        self._running.add(program)
        width, height = (
            min(max(to_int(request.query.get(name, ""), size), 20), 1000)
            for name, size in (("width", 80), ("height", 24))
        )
        try:
            await websocket.prepare(request)
            await program.start(width, height)
            # A message of another form ends the session.
            with contextlib.suppress(AssertionError, ValueError, KeyError, IndexError, TypeError, AttributeError):
                await self._process_messages(websocket, program)
        finally:
            self._running.discard(program)
            with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
                await asyncio.wait_for(program.stop(), 5)
            program.kill()
        return websocket


def serve(files: Sequence[str], port: int, tell: Callable[[str], None], images: Path | None = None) -> None:
    """Serve the browser of `files` on the loopback interface until interrupted; 0 takes a free port.

    `tell` is given the address, with the token.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen()
    port = listener.getsockname()[1]
    paths = [str(Path(name).resolve()) for name in files]
    folder = [] if images is None else ["--images", str(images.resolve())]
    server = _Server([sys.executable, "-m", "matlens", "browse", *folder, "--", *paths], port)
    tell(f"http://{HOST}:{port}/?token={server.token}")
    web.run_app(server._make_app(), sock=listener, print=lambda *_: None, access_log=None)
