"""What receivers with a REST API have in common: routes, errors in the vendor's form, remembering each request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from sandbox.receivers.base import Receiver, Ticket
from sandbox.wire import Call, CloudError, Reply

Answer = Callable[[Any, Call, dict[str, str]], Reply]
"""A route's handler: the receiver, the call, the parts of the path that the template names."""


class Route:
    """Handlers of one class of receivers by method and path below its URL; paths match in any case."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, re.Pattern[str], Answer]] = []

    def __call__(self, method: str, template: str) -> Callable[[Answer], Answer]:
        """Register a handler. `{name}` matches one segment; the first match in order wins."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        compiled = re.compile(f"^{pattern}/?$", re.IGNORECASE)

        def register(handler: Answer) -> Answer:
            self._rows.append((method, compiled, handler))
            return handler

        return register

    def find(self, method: str, path: str) -> tuple[Answer, dict[str, str]] | None:
        """The handler of a request and what its template names, or None."""
        for wanted, pattern, handler in self._rows:
            match = pattern.match(path) if wanted == method else None
            if match is not None:
                return handler, match.groupdict()
        return None


class RestReceiver(Receiver):
    """A system with tickets, notes and companies. Subclasses set `routes` and word their errors in `worded`."""

    routes: ClassVar[Route]
    kept: ClassVar[int] = 5000

    async def receive(self, call: Call) -> Reply:
        """Answer, and remember what was asked."""
        verified = self.verify(call)
        try:
            reply = self._answer(call)
        except CloudError as error:
            body = error.body if error.body is not None else self.worded(error)
            reply = Reply(body, error.status, dict(error.headers))
        self.record(call, reply.status, verified=verified)
        return reply

    def _answer(self, call: Call) -> Reply:
        found = self.routes.find(call.method, self.below(call))
        if found is None:
            # The web server's own page: nothing of the API listens there.
            return Reply(
                text="<html><body>404 - File or directory not found.</body></html>", status=404, media_type="text/html"
            )
        handler, params = found
        return handler(self, call, params)

    def below(self, call: Call) -> str:
        """The path below the receiver's URL."""
        return "/" + call.params.get("rest", "")

    def worded(self, error: CloudError) -> Any:
        """The body of an error in this system's own form."""
        raise NotImplementedError

    def failure(self, status: int) -> Any:
        """An error that the mood asks for."""
        return self.worded(CloudError(status, "Fault", f"The receiver was told to answer {status}."))

    def companies(self) -> dict[int, str]:
        """Id -> name of every company: the partner first, then its customers by name."""
        names = [self.cloud.world.partner.name, *(tenant.name for tenant in self.cloud.world.customers())]
        return {2 + number: name for number, name in enumerate(names)}

    def stamp(self) -> str:
        """Now, as these systems write times."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def new_ticket(self, number: int, key: str, title: str, company: int, url: str) -> Ticket:
        """A ticket for the control API to show. Kept by id, because nothing here keeps a key from having two."""
        ticket = Ticket(str(number), key, "open", title, url, company=str(company))
        self.tickets[ticket.id] = ticket
        return ticket


def whole(value: Any) -> int | None:
    """A whole number, given as number or text; None for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
