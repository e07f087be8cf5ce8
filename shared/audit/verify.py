"""Whether a day of the audit log is as it was written: one pass over its partition, whatever the number of chains."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any

from typing_extensions import TypedDict

from shared.app import App
from shared.audit.check import AuditProblem, Check, head_in, readable, text_of
from shared.audit.records import (
    HEAD,
    PROVIDER,
    REGISTER_PARTITION,
    TABLE,
    Chain,
    Entry,
    Head,
    Log,
    log_of,
    tenant_of,
)

CHAINS_AT_ONCE = 32
"""Whose neighbouring days are read together."""


class AuditHead(TypedDict):
    """Where a chain ends on a day: kept elsewhere, it proves later that nothing was taken away."""

    sequence: int
    hash: str


class AuditChain(TypedDict):
    """A chain of a day. `begins`: nothing is kept of it before this day."""

    tenantId: str | None
    entries: int
    ok: bool
    head: AuditHead | None
    begins: bool
    problems: int
    firstProblem: AuditProblem | None


class AuditVerification(TypedDict):
    """Whether a day of the audit log is as it was written. `unchained` entries cannot be judged; days are UTC."""

    day: str
    ok: bool
    message: str
    entries: int
    unchained: int
    chains: list[AuditChain]
    keptFrom: str | None
    chainedFrom: str | None


async def verify(app: App, day: date, *, chain: str | None = None) -> AuditVerification:
    """Judge every chain of a UTC day, or one of them.

    Reads pages; memory grows with the chains of the day, not with its entries. Entries may be written meanwhile.
    """
    text, log = day.isoformat(), await log_of(app)
    if log.kept_from is not None and text < log.kept_from:
        said = f"The day is not kept any more: retention has removed what is before {log.kept_from}."
        return _report(text, log, said, [], 0)
    checks = {name: Check(name, head) for name, head in (await _heads(app, text, chain)).items()}
    unchained = await _read(app, text, chain, checks, log)
    registered = await _registered(app, chain)
    heads = await _heads(app, text, chain)
    for name, newest in registered.items():
        if newest == text:
            checks.setdefault(name, Check(name, None))
    found = [checks[name] for name in sorted(checks, key=lambda name: (name != PROVIDER, name))]
    for check in found:
        if check.chain:
            check.end(heads.get(check.chain))
    for begin in range(0, len(found), CHAINS_AT_ONCE):
        some = found[begin : begin + CHAINS_AT_ONCE]
        await asyncio.gather(*(_join(app, check, heads.get(check.chain), registered, log) for check in some))
    return _report(text, log, "", [_shown(check, heads.get(check.chain), log) for check in found], unchained)


async def _heads(app: App, day: str, chain: str | None) -> dict[str, Head | None]:
    """By chain; None for one that cannot be read."""
    wanted = f"{HEAD}{chain or ''}"
    rows = [row async for row in app.tables.rows(TABLE, day, prefix=wanted)]
    found = {str(row["RowKey"]).removeprefix(HEAD): head_in(row) for row in rows}
    return {name: head for name, head in found.items() if chain in (None, name)}


async def _registered(app: App, chain: str | None) -> dict[str, str]:
    """The newest day of every chain, or of one."""
    rows = [row async for row in app.tables.rows(TABLE, REGISTER_PARTITION, prefix=chain or "")]
    found = [known for row in rows if (known := readable(Chain, text_of(row))) is not None]
    return {known.name: known.day for known in found if chain in (None, known.name)}


async def _read(app: App, day: str, chain: str | None, checks: dict[str, Check], log: Log) -> int:
    """Show every entry of the day to the check of its chain; gives the number of those that have none."""
    unchained = 0
    where = "chain eq @chain" if chain else ""
    async for row in app.tables.rows(TABLE, day, below=HEAD, where=where, parameters={"chain": chain} if chain else {}):
        name = _chain_in(row)
        if name:
            checks.setdefault(name, Check(name, None)).see(row)
            continue
        unchained += 1
        if log.first_day is not None and day > log.first_day:
            stray = checks.setdefault("", Check("", None))
            stray.entries += 1
            stray.wrong("It is in no chain, though chains had begun when it was written.", row)
    return unchained


def _chain_in(row: Mapping[str, Any]) -> str:
    """The chain that a row of an entry claims; empty for one that was written before there were chains."""
    if row.get("chain"):
        return str(row["chain"])
    entry = readable(Entry, text_of(row))
    return entry.chain if entry is not None else ""


async def _join(app: App, check: Check, head: Head | None, registered: dict[str, str], log: Log) -> None:
    """Whether the chain's days before and after are those that it was written between."""
    if head is None:
        return
    newest, previous = registered.get(head.chain, ""), head.previous_day
    if head.next_day is not None:
        after = await app.tables.get_raw(TABLE, head.next_day, f"{HEAD}{head.chain}")
        following = head_in(after) if after is not None else None
        if following is None and newest >= head.next_day:
            check.wrong(f"The chain's next day, {head.next_day}, is gone.", last=True)
        elif following is not None and (following.previous_day, following.previous_hash) != (head.day, head.hash):
            check.wrong(f"The chain's next day, {head.next_day}, follows another end of this day.", last=True)
    elif head.sequence and newest != head.day and not await _newest(app, head):
        check.wrong("It is not registered as the chain's newest day.", last=True)
    if previous is None or (log.kept_from is not None and previous < log.kept_from):
        return
    row = await app.tables.get_raw(TABLE, previous, f"{HEAD}{head.chain}")
    before = head_in(row) if row is not None else None
    if previous >= head.day:
        check.wrong(f"The chain had entries of {previous} before, whose head is gone.")
    elif before is None:
        check.wrong(f"The chain's day before, {previous}, is gone.")
    elif (before.hash, before.next_day) != (head.previous_hash, head.day):
        check.wrong(f"The chain's day before, {previous}, ended otherwise when this day began.")


async def _newest(app: App, head: Head) -> bool:
    """Whether the day is the chain's newest, or was until now: a day may have begun while another was read."""
    registered = (await _registered(app, head.chain)).get(head.chain)
    present = await app.tables.get_raw(TABLE, head.day, f"{HEAD}{head.chain}")
    now = head_in(present) if present is not None else None
    return registered == head.day or (now is not None and now.next_day is not None)


def _shown(check: Check, head: Head | None, log: Log) -> AuditChain:
    begins = head is not None and (head.previous_day is None or head.previous_day < (log.kept_from or ""))
    return {
        "tenantId": tenant_of(check.chain),
        "entries": check.entries,
        "ok": check.problems == 0,
        "head": {"sequence": head.sequence, "hash": head.hash} if head is not None else None,
        "begins": begins,
        "problems": check.problems,
        "firstProblem": check.first,
    }


def _report(day: str, log: Log, said: str, chains: list[AuditChain], unchained: int) -> AuditVerification:
    bad = sum(not chain["ok"] for chain in chains)
    entries = sum(chain["entries"] for chain in chains)
    if not said and bad:
        said = f"{bad} of {len(chains)} chains are not as they were written."
    elif not said:
        said = "Every entry is as it was written." if entries else "Nothing was written on this day."
        if unchained:
            said = f"{unchained} entries were written before there were chains, and cannot be judged. {said}"
    return {
        "day": day,
        "ok": not bad,
        "message": said,
        "entries": entries,
        "unchained": unchained,
        "chains": chains,
        "keptFrom": log.kept_from,
        "chainedFrom": log.first_day,
    }
