"""The settings that a caller gives a sink: checked by its kind, and joined with the secrets it has."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from shared.errors import ErrorDetail, InvalidInput
from shared.sinks import KINDS
from shared.sinks.contract import SinkKind, SinkSettings, secret, secret_fields


def kind_of(name: str) -> SinkKind:
    """A kind by its word. Raises InvalidInput."""
    if name not in KINDS:
        raise InvalidInput(f"There is no kind {name}. There are: {', '.join(sorted(KINDS))}.", target="kind")
    return KINDS[name]


def joined(
    kind: SinkKind, given: dict[str, Any], kept: dict[str, str], before: dict[str, Any]
) -> tuple[SinkSettings, bool]:
    """The settings with the secrets that were kept and not given, and whether there are such.

    `before`: the sink's settings so far, without secrets; empty for a new one. Raises InvalidInput: for settings that
    the kind does not take, and when kept secrets would go to another place, or under another name, than whoever gave
    them had in mind.
    """
    names = _secret_names(kind)
    given = {name: value for name, value in given.items() if name not in names or value is not None}
    unsent = {name: value for name, value in kept.items() if name in names and name not in given}
    settings = _checked(kind, {**unsent, **given})
    moved = _moved(before, settings) if unsent else []
    if moved:
        details: list[ErrorDetail] = [
            {"code": "secretRequired", "message": "Send it again.", "target": f"settings.{name}"} for name in unsent
        ]
        raise InvalidInput(
            f"{', '.join(moved)} is not as it was, and says where or as whom the sink signs in. "
            f"Send {', '.join(unsent)} again with it.",
            target=details[0]["target"],
            details=details,
        )
    return settings, bool(unsent)


def secrets_in(kind: SinkKind, settings: SinkSettings) -> dict[str, str]:
    """The secrets in settings, by their names on the wire."""
    fields = kind.Settings.model_fields
    found = {fields[name].alias or name: secret(getattr(settings, name)) for name in secret_fields(kind.Settings)}
    return {name: text for name, text in found.items() if text}


def without_secrets(kind: SinkKind, settings: SinkSettings) -> dict[str, Any]:
    """What of the settings is kept in the sink's row."""
    return settings.model_dump(by_alias=True, mode="json", exclude=set(secret_fields(kind.Settings)))


def _secret_names(kind: SinkKind) -> set[str]:
    """The names on the wire of a kind's secrets."""
    fields = kind.Settings.model_fields
    return {fields[name].alias or name for name in secret_fields(kind.Settings)}


def _moved(before: dict[str, Any], after: SinkSettings) -> list[str]:
    """The settings that bind secrets and are not as before, by their names on the wire."""
    model = type(after)
    try:
        old: SinkSettings | None = model.model_validate(before)
    except ValidationError:
        old = None  # of another version of the kind: nobody knows what they meant
    binding = set(model.model_fields) - set(secret_fields(model)) - model.HARMLESS
    changed = (name for name in binding if old is None or getattr(old, name) != getattr(after, name))
    return sorted(model.model_fields[name].alias or name for name in changed)


def _checked(kind: SinkKind, given: dict[str, Any]) -> SinkSettings:
    try:
        return kind.Settings.model_validate(given)
    except ValidationError as error:
        details: list[ErrorDetail] = [
            {"code": row["type"], "message": row["msg"], "target": ".".join(["settings", *map(str, row["loc"])])}
            for row in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidInput("Correct the settings, then send it again.", target="settings", details=details) from error
