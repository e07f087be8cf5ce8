"""The sandbox as a process: its ports, which service answers where, and starting and stopping.

One plain HTTP port carries the control API, the receivers, the managed identity endpoint and the pages a browser signs
in with. Above it, one TLS port per service; each of them hands a request that names another service's production host
to that service.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox import arm, control, graph, identity, key_vault, login, partner_center, receivers, scenarios, tls
from sandbox.wire import Disconnect, Service
from sandbox.world import Cloud

SERVICES: dict[str, Callable[[Cloud], Service]] = {
    "login": login.service,
    "arm": arm.service,
    "graph": graph.service,
    "partnercenter": partner_center.service,
    "vault": key_vault.service,
}
"""Service name -> its maker; the n-th one has TLS port base + n."""

DRIFT_SECONDS = 15.0
"""How often health drifts while the knob is on."""


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets the application reach its connection, to drop it without an answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = dict(self.app_state)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn itself
        super().connection_made(transport)
        self.app_state["transport"] = transport


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take no signal."""
        yield


def dropping(app: ASGIApp) -> ASGIApp:
    """An application whose `Disconnect` cuts the TCP connection in silence."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Disconnect:
            scope["state"]["transport"].abort()
            while (await receive())["type"] != "http.disconnect":
                pass

    return call


class Sandbox:
    """The simulated cloud, running in the current event loop.

    `port` is the plain HTTP port (0: any free run of ports); TLS ports follow it in the order of SERVICES. `tls_ports`
    are further TLS ports that serve every service by its production host name. `state_dir` holds the certificates.
    """

    def __init__(self, port: int, state_dir: Path, tls_ports: tuple[int, ...] = ()) -> None:
        self.state_dir, self.tls_ports = Path(state_dir), tls_ports
        self._sockets = _bind(port, 1 + len(SERVICES))
        self.port = int(self._sockets[0].getsockname()[1])
        self._sockets += [_listen(extra) for extra in tls_ports]
        self.urls = {"control": f"http://localhost:{self.port}"}
        self.urls |= {name: f"https://localhost:{self.port + n}" for n, name in enumerate(SERVICES, 1)}
        self.cloud = Cloud(self.urls)
        self._servers: list[_Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the default world and answer on every port."""
        certificates = tls.ensure(self.state_dir)
        self.cloud.ca_path = certificates.authority
        scenarios.reset(self.cloud)
        services = {name: make(self.cloud) for name, make in SERVICES.items()}
        apps: list[ASGIApp] = [self._plain(services)]
        apps += [_by_host(services, services[name]) for name in SERVICES]
        apps += [_by_host(services, None) for _ in self.tls_ports]
        for index, (app, sock) in enumerate(zip(apps, self._sockets, strict=True)):
            config = uvicorn.Config(
                dropping(app),
                http=_Protocol,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
                ssl_certfile=str(certificates.chain) if index else None,
                ssl_keyfile=str(certificates.key) if index else None,
            )
            server = _Server(config)
            self._servers.append(server)
            self._tasks.append(asyncio.create_task(server.serve(sockets=[sock])))
        while not all(server.started for server in self._servers):
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)
        self._tasks.append(asyncio.create_task(self._drift()))

    async def stop(self) -> None:
        """Stop answering and free the ports."""
        for server in self._servers:
            server.should_exit = True
        if self._tasks:
            self._tasks[-1].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sock in self._sockets:
            sock.close()

    async def _drift(self) -> None:
        while True:
            await asyncio.sleep(DRIFT_SECONDS)
            if self.cloud.world.behaviour.drift:
                scenarios.drift(self.cloud.world)

    def _plain(self, services: dict[str, Service]) -> ASGIApp:
        """The plain HTTP port: routes by path; what is nobody's goes to sign-in."""
        prefixes: list[tuple[str, ASGIApp]] = [
            ("/_sandbox/", control.service(self.cloud)),
            ("/receivers/", receivers.service(self.cloud)),
            ("/msi/", identity.service(self.cloud)),
        ]

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"]
            if path == "/":
                await HTMLResponse(self._overview())(scope, receive, send)
                return
            if path.rstrip("/") == "/portal":
                await HTMLResponse(_landing(dict(parse_qsl(scope["query_string"].decode()))))(scope, receive, send)
                return
            for prefix, app in prefixes:
                if path.lower().startswith(prefix):
                    await app(scope, receive, send)
                    return
            await services["login"](scope, receive, send)

        return call

    def _overview(self) -> str:
        """The page that says what is where."""
        links = {
            "World": "/_sandbox/world",
            "Requests": "/_sandbox/requests",
            "Authority (PEM)": "/_sandbox/ca.pem",
            **{f"Receiver: {kind}": f"/_sandbox/receivers/{kind}" for kind in receivers.KINDS},
        }
        rows = "".join(
            f'<li><a href="{html.escape(link)}">{html.escape(name)}</a></li>' for name, link in links.items()
        )
        places = "".join(
            f"<tr><td>{html.escape(name)}</td><td><code>{html.escape(url)}</code></td></tr>"
            for name, url in self.urls.items()
        )
        return _page("The Microsoft cloud on this machine", f"<table>{places}</table><ul>{rows}</ul>")


def _landing(query: Mapping[str, str]) -> str:
    """Where a sign-in ends while there is no portal: what the application's redirect says, in words."""
    if "error" in query:
        said = f"<p>{html.escape(query.get('message', ''))}</p><p><code>{html.escape(query['error'])}</code></p>"
        return _page("The sign-in failed", said)
    return _page("You are signed in", "<p>Close this page and go on with <code>POST /connections/{id}/test</code>.</p>")


def _page(title: str, body: str) -> str:
    """A plain page; `body` is HTML."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>{title}</title>'
        "<style>body{font:16px system-ui,sans-serif;margin:2rem}td{padding:.2rem 1rem .2rem 0}</style>"
        f"<h1>{title}</h1>{body}</html>"
    )


def _by_host(services: dict[str, Service], default: Service | None) -> ASGIApp:
    """Route by the Host header where it is a service's production name, else to the port's own service."""
    known: dict[str, Service | None] = {}

    def chosen(host: str) -> Service | None:
        return next((s for s in services.values() if any(p.fullmatch(host) for p in s.hosts)), default)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        header = next((value for key, value in scope["headers"] if key == b"host"), b"")
        host = header.decode("latin-1").partition(":")[0]
        if host not in known:
            if len(known) > 1000:
                known.clear()
            known[host] = chosen(host)
        app = known[host]
        if app is None:
            await HTMLResponse(f"No service is called {html.escape(host)} here.", 421)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return call


def _listen(port: int) -> socket.socket:
    """A listening-ready socket on loopback. Raises OSError when the port is taken."""
    # The protocol is named because asyncio switches Nagle's algorithm off only for sockets that say they are TCP;
    # with it on, each answer of two writes waits 40 ms for an acknowledgement.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


def _bind(port: int, count: int) -> list[socket.socket]:
    """`count` sockets on consecutive ports from `port`; from the first free run that turns up when `port` is 0."""
    for base in [port] if port else _candidates():
        sockets: list[socket.socket] = []
        try:
            for number in range(count):
                sockets.append(_listen(base + number))  # noqa: PERF401 - what is open must be closed on failure
        except OSError:
            for sock in sockets:
                sock.close()
            if port:
                raise
        else:
            return sockets
    raise OSError("No run of free ports was found.")


def _candidates() -> Iterator[int]:
    for _ in range(50):
        with _listen(0) as probe:
            base = int(probe.getsockname()[1])
        if base < 65_000:
            yield base
