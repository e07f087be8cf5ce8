"""Calling a kind: whatever goes wrong in there is a SinkError, and nothing that it says shows a secret.

So one vendor's odd answer stops nothing else, and one who repeats our credentials in an error tells them to nobody.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar, cast

from shared.sinks.contract import LOST_SECONDS, Outlet, Receipt, SinkError, SinkSettings
from shared.sinks.redaction import strike

T = TypeVar("T")
log = logging.getLogger("tenantry.outbox")
OPERATION_SECONDS = 45.0
"""For all requests of one call."""


async def ask(
    outlet: Outlet, settings: SinkSettings, what: Awaitable[T], passing: tuple[type[Exception], ...] = ()
) -> T:
    """What a kind gives, called with this outlet and these settings. Raises SinkError, and what is of `passing`."""

    def clean(text: str) -> str:
        return strike(text, [*settings.confidential(), *outlet.credentials])

    try:
        async with asyncio.timeout(OPERATION_SECONDS):
            found = await what
    except SinkError as error:
        raise error.saying(clean(error.message)) from None
    except passing:
        raise
    except TimeoutError:
        said = f"It was not done within {OPERATION_SECONDS:g} seconds."
        raise SinkError(said, retry_after=LOST_SECONDS) from None
    except Exception as error:  # a kind's mistake with one answer must not stop its sink for all others
        name, where = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
        log.error("The sink %s failed: %s\n%s", outlet.sink_id, name, where)  # noqa: TRY400 - its text is the vendor's
        raise SinkError(f"It failed with an unexpected answer: {name}.") from None
    if isinstance(found, Receipt) and found.detail:
        return cast(T, replace(found, detail=clean(found.detail)))
    return found
