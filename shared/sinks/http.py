"""One request to a receiver that people configured: pinned to a public address, bounded in time and size.

What comes back is a stranger's: whatever it is, who reads it gets what was asked for or a SinkError. Bodies are asked
for uncompressed, and one that is compressed all the same is not read: a thousand bytes may stand for a gigabyte.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from shared import telemetry
from shared.errors import InvalidInput
from shared.sinks import public_address
from shared.sinks.contract import MAX_ERROR_CHARS, TIMEOUT_SECONDS, Outlet, SinkError
from shared.version import VERSION

MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1.0, 3600.0
MAX_ANSWER_BYTES = 4_000_000
"""More than a page of a thousand rows takes; nothing longer is kept in memory."""
MAX_VALUES = 400_000
"""Of a JSON document, by its commas: each takes far more memory than the bytes it was written with."""


@dataclass(frozen=True)
class Answer:
    """A receiver's answer, read up to MAX_ANSWER_BYTES; of a compressed one nothing. `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    at: datetime
    """When it was asked."""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def compressed(self) -> bool:
        """Whether its body is encoded, though we asked for one that is not."""
        return self.headers.get("content-encoding", "").strip().lower() not in ("", "identity")

    def json(self) -> Any:
        """The body as JSON. Raises SinkError when it is none, or larger than anything we ask for."""
        if self.compressed:
            raise self.odd("is compressed, which it was asked not to be")
        if len(self.content) >= MAX_ANSWER_BYTES or self.content.count(b",") > MAX_VALUES:
            raise self.odd("is too long")
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise self.odd("is not JSON") from error

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises SinkError when it is none."""
        found = self.json()
        if not isinstance(found, dict):
            raise self.odd("is no JSON object")
        return found

    def row(self) -> dict[str, Any]:
        """The body as an object whose `id` is a whole number. Raises SinkError when it is none."""
        found = self.object()
        if not _WHOLE.fullmatch(str(found.get("id"))):
            raise self.odd("has no id")
        return found

    def rows(self, name: str = "", *, key: str = "id") -> list[dict[str, Any]]:
        """The rows of the body: objects whose `key` is a whole number, the body itself or what it has under `name`.

        Raises SinkError when it is anything else.
        """
        found = self.json()
        rows = found.get(name) if isinstance(found, dict) else found
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.odd(f"has no list of {name or 'objects'}")
        if not all(_WHOLE.fullmatch(str(row.get(key))) for row in rows):
            raise self.odd(f"has a row whose {key} is no whole number")
        return rows

    def told(self) -> dict[str, Any]:
        """What it says of an error, as its JSON object; empty when it has none."""
        try:
            return self.object() if not self.ok else {}
        except SinkError:
            return {}

    def odd(self, what: str) -> SinkError:
        """What is raised for an answer that is not as its API says: `is not JSON`."""
        return SinkError(f"The receiver's answer {what}.", status=self.status)

    @property
    def beginning(self) -> str:
        """Its first characters in one line."""
        return " ".join(self.content[: 4 * MAX_ERROR_CHARS].decode("utf-8", "replace").split())[:MAX_ERROR_CHARS]

    @property
    def retry_after(self) -> float | None:
        """Seconds it asks to wait, from a second to an hour; None when it does not say, or nothing that can be meant.

        It says seconds or a date (RFC 9110, 10.2.3); a date counts from the answer's own, as clocks differ.
        """
        said = self.headers.get("retry-after", "")
        try:
            seconds = float(said)
        except ValueError:
            until, sent = _date(said), _date(self.headers.get("date", "")) or self.at
            if until is None:
                return None
            seconds = max(0.0, (until - sent).total_seconds())
        return min(MAX_RETRY_AFTER, max(MIN_RETRY_AFTER, seconds)) if seconds >= 0 else None

    def error(self, *, permanent: bool = False, disable: bool = False, message: str = "") -> SinkError:
        """What is raised for it; by default with the beginning of its body."""
        said = message or f"The receiver answered {self.status}: {self.beginning}"
        return SinkError(said, status=self.status, permanent=permanent, disable=disable, retry_after=self.retry_after)


async def call(
    outlet: Outlet,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    body: Any = None,
    form: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request; give the answer whatever its status. `body` is sent as JSON. Redirects are not followed.

    Raises SinkError when there was no answer, and when a header cannot be sent.
    """
    given = {"User-Agent": f"Tenantry/{VERSION}", **(headers or {}), "Accept-Encoding": "identity"}
    _check(given)
    outlet.credentials.add(given.get("Authorization", "").partition(" ")[2])
    try:
        target, host, extensions = await pinned(outlet, url)
        if extensions:
            # The pool knows an address only: a kept connection was proved to belong to another name's certificate.
            given["Connection"] = "close"
        with telemetry.receiver(method, url) as span:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                outlet.http.stream(
                    method,
                    target,
                    content=content,
                    json=body,
                    data=form,
                    params=params,
                    headers={**given, "Host": host},
                    extensions=extensions,
                    follow_redirects=False,
                ) as answer,
            ):
                telemetry.status_of(span, answer.status_code)
                found = Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, b"", outlet.now)
                return found if found.compressed else replace(found, content=await _read(answer))
    except InvalidInput as error:
        raise SinkError(error.message) from error
    except (httpx.TimeoutException, TimeoutError) as error:
        raise SinkError(f"The receiver did not answer within {TIMEOUT_SECONDS} seconds.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SinkError(f"The receiver could not be reached: {str(error) or type(error).__name__}") from error


async def pinned(outlet: Outlet, url: str) -> tuple[str, str, dict[str, Any]]:
    """The URL to connect to, the Host header, and the name that the receiver's certificate must have.

    Raises InvalidInput for a URL that may not be sent to.
    """
    parts = public_address.parse(url, allow_private=outlet.allow_private)
    if outlet.allow_private:
        return url, parts.netloc, {}
    host = str(parts.hostname)
    address = await public_address.resolve(host, parts.port or 443)
    numeric = f"[{address}]" if address.version == 6 else str(address)
    target = parts._replace(netloc=f"{numeric}:{parts.port}" if parts.port else numeric).geturl()
    return target, parts.netloc, {"sni_hostname": host}


def judge(answer: Answer) -> Answer:
    """The answer when it is 2xx. Raises SinkError: 410 switches the sink off, the rest may be tried again."""
    if answer.ok:
        return answer
    if answer.status == HTTPStatus.GONE:
        raise answer.error(permanent=True, disable=True, message="The receiver answered 410: it is gone.")
    if 300 <= answer.status < 400:
        raise answer.error(message=f"The receiver answered {answer.status}; redirects are not followed.")
    raise answer.error()


def _check(headers: Mapping[str, str]) -> None:
    """Raises SinkError for a value that no header takes: it came from a setting, and would be refused with its text."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise SinkError(
                f"What is set for {name} cannot be sent: it may have ASCII letters, digits and signs only.",
                permanent=True,
                disable=True,
            )


async def _read(answer: httpx.Response) -> bytes:
    read = bytearray()
    async for chunk in answer.aiter_raw():
        read += chunk
        if len(read) >= MAX_ANSWER_BYTES:
            break
    return bytes(read[:MAX_ANSWER_BYTES])


_WHOLE = re.compile(r"-?[0-9]{1,18}")


def _date(text: str) -> datetime | None:
    """An HTTP date; None when it is none. One without a zone is in UTC."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
