"""Azure Resource Graph: one query about the resources of a subscription, page by page.

What it answers lags behind Azure by seconds to minutes. The quota is 15 queries in 5 seconds for one sign-in in one
tenant, so of many subscriptions that are polled at once some are refused: a short wait is sat out here.

Sources: learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data (paging),
learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential

from shared.errors import MicrosoftError
from shared.microsoft import arm_lists
from shared.microsoft.http_errors import patiently
from shared.microsoft.transport import AzureTransport
from shared.settings import Settings

API_VERSION = "2021-03-01"
PAGE_ROWS = 1000
"""The most that a page may have."""

_CLIENTS = arm_lists.Clients(arm_lists.bare, "mgmt-resourcegraph/8.0.1")


async def rows(
    settings: Settings,
    transport: AzureTransport,
    credential: AsyncTokenCredential,
    subscription_id: str,
    query: str,
) -> list[dict[str, Any]]:
    """Every row of a query's answer, by column; the query must project `id`, without which there are no pages.

    Raises NeedsConsent, AccessDenied, Throttled or MicrosoftError.
    """
    client = _CLIENTS.get(settings, transport)
    url, parameters = f"{settings.arm_url}/providers/Microsoft.ResourceGraph/resources", {"api-version": API_VERSION}
    # A table names each column once: most are empty in most rows.
    options: dict[str, Any] = {"resultFormat": "table", "$top": PAGE_ROWS}
    found: list[dict[str, Any]] = []
    for _ in range(arm_lists.MAX_PAGES):
        asked = {"subscriptions": [subscription_id], "query": query, "options": options}
        page = await patiently(partial(arm_lists.ask, client, credential, "POST", url, parameters, asked))
        found += _records(page.get("data"))
        token = page.get("$skipToken")
        if not token:
            if str(page.get("resultTruncated")).lower() == "true":
                raise MicrosoftError("Resource Graph left rows out of its answer.", remote_code="truncated")
            return found
        options = {**options, "$skipToken": token}
    raise MicrosoftError(f"The answer does not end after {arm_lists.MAX_PAGES} pages.", remote_code="endlessPaging")


def _records(table: Any) -> list[dict[str, Any]]:
    """The rows of a table by column. Raises MicrosoftError for what is no table."""
    try:
        names = [column["name"] for column in table["columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["rows"]]
    except (KeyError, TypeError, ValueError) as error:
        raise MicrosoftError("Resource Graph's answer is no table.", remote_code="noTable") from error
