"""The values of a URL's query, masked where it is shown and put back where it is sent as it was shown. Pure."""

from __future__ import annotations

MASK = "***"


def mask(url: str) -> str:
    """The URL with every value of its query masked; what has no name is a value."""
    base, sign, query = url.partition("?")
    return base + sign + "&".join(map(_masked, query.split("&")))


def unmask(url: str, before: str) -> str | None:
    """The URL with its masked values as they are in `before`, each used once.

    None when one is not there, or when what is before the query is another: a value goes nowhere but where it went.
    """
    base, sign, query = url.partition("?")
    parts = query.split("&")
    if not any(part == MASK or part.endswith(f"={MASK}") for part in parts):
        return url
    known, _, had = before.partition("?")
    if base != known:
        return None
    values = had.split("&")
    for place, part in enumerate(parts):
        if part == MASK or part.endswith(f"={MASK}"):
            found = next((value for value in values if _masked(value) == part), None)
            if found is None:
                return None
            values.remove(found)
            parts[place] = found
    return base + sign + "&".join(parts)


def _masked(part: str) -> str:
    name, sign, _ = part.partition("=")
    return f"{name}={MASK}" if sign else MASK if name else ""
