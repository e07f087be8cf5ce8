"""Striking secrets out of what receivers say: some repeat the request in their errors, and errors are shown.

Pure. What a receiver repeats may be written as it was sent, or as a URL, JSON, HTML or base64 writes it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

STRUCK = "[secret]"
SHORTEST = 4
"""Characters; what is shorter protects nothing, and would be found in every text."""
SHORTEST_VALUE, SHORTEST_STEP = 8, 16
"""Of a URL's query and path: shorter ones are words such as `workflows`."""


def strike(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, however they are written; also without the beginning of one at its cut end."""
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    if not forms:
        return text
    text = re.sub("|".join(map(re.escape, forms)), STRUCK, text, flags=re.IGNORECASE)
    begun = max((_overlap(text, form) for form in forms), default=0)
    return text[: len(text) - begun] + STRUCK if begun else text


def _forms(secret: str) -> Iterator[str]:
    for part in _parts(secret):
        encoded = base64.b64encode(part.encode()).decode()
        quoted = (json.dumps(part), json.dumps(part, ensure_ascii=False))
        plain = [" ".join(part.split()), html.escape(part), encoded, *(row[1:-1] for row in quoted)]
        for form in (part, quote(part), quote(part, safe=""), quote_plus(part), *plain):
            yield form
            yield form.replace("/", "\\/")


def _parts(secret: str) -> Iterator[str]:
    """The secret, and of a URL what in it may work as a key."""
    if len(secret) >= SHORTEST:
        yield secret
    if "://" not in secret:
        return
    parts = urlsplit(secret)
    whole = f"{parts.path}?{parts.query}", parts.path, parts.query
    values = (value for _, value in parse_qsl(parts.query))
    yield from (part for part in (*whole, *values) if len(part) >= SHORTEST_VALUE)
    yield from (step for step in parts.path.split("/") if len(step) >= SHORTEST_STEP)


def _overlap(text: str, form: str) -> int:
    """How many of a form's first characters the text ends with, at least SHORTEST; else 0."""
    longest = min(len(text), len(form) - 1)
    ends = (size for size in range(longest, SHORTEST - 1, -1) if text.endswith(form[:size]))
    return next(ends, 0)
