"""Whole lists out of Resource Manager, page by page, as the JSON that came.

A poll reads every resource of every client every quarter of an hour, so what one call costs us counts. Measured on
lists of 25: making a client and building the SDK's models takes 1.5 ms a call, this 0.25 ms, of which 0.1 ms is what
aiohttp needs alone. So there is one client per SDK and process, through whose public `send_request` go all
subscriptions; the credential of each comes with the request.

Sources: learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling,
learn.microsoft.com/rest/api/azure (paging by nextLink).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from azure.core import AsyncPipelineClient
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, HeadersPolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.errors import MicrosoftError, Throttled
from shared.microsoft.arm_errors import translated
from shared.microsoft.outgoing import CorrelationPolicy
from shared.microsoft.transport import AzureTransport
from shared.settings import Settings

TRIES = 3
"""How often a page is asked for when the connection breaks, or ARM fails without naming a time to wait."""
PAUSE_SECONDS = 0.3
MAX_PAGES = 1000


class Sender(Protocol):
    """What every azure-mgmt client offers for requests it has no method for."""

    def send_request(self, request: HttpRequest, *, stream: bool = ..., **kwargs: Any) -> Any:
        """Send through the client's pipeline; awaiting gives an AsyncHttpResponse."""


S = TypeVar("S", bound=Sender)


class _CredentialOfRequest(AsyncHTTPPolicy[Any, Any]):
    """Authorizes each request with the credential passed to `send_request`."""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        credential: AsyncTokenCredential = request.context.options.pop("credential_of_request")
        if not request.http_request.url.startswith("https://"):
            raise MicrosoftError("A token is sent over TLS only.", remote_code="notTls")
        token = await credential.get_token(self._scope)
        request.http_request.headers["Authorization"] = f"Bearer {token.token}"
        return await self.next.send(request)


class _NoCredential(AsyncTokenCredential):
    """For the SDK's constructor, which asks for one; `_CredentialOfRequest` does the work."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Never asked. Raises MicrosoftError."""
        raise MicrosoftError(f"The request names no credential for {scopes}.")

    async def close(self) -> None:
        """Nothing is held."""

    async def __aexit__(self, *details: object) -> None:
        return None


def bare(
    *, base_url: str, transport: AzureTransport, policies: list[Any], **_sdk_only: Any
) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
    """A client without an SDK around it, for `Clients`: some take long to import and to build."""
    return AsyncPipelineClient(base_url, transport=transport, policies=policies)


class Clients(Generic[S]):
    """One SDK client per transport, that is per process; it goes when the transport goes."""

    def __init__(self, make: Callable[..., S], package: str) -> None:
        self._make, self._package = make, package
        self._kept: WeakKeyDictionary[AzureTransport, S] = WeakKeyDictionary()

    def get(self, settings: Settings, transport: AzureTransport) -> S:
        """The client: it serves every subscription, and retries nothing by itself."""
        client = self._kept.get(transport)
        if client is None:
            scope = f"{settings.resources['arm']}/.default"
            client = self._kept[transport] = self._make(
                credential=_NoCredential(),
                subscription_id="00000000-0000-0000-0000-000000000000",
                base_url=settings.arm_url,
                credential_scopes=[scope],
                # Closing is the process's business: this view of the transport lets the other be collected.
                transport=transport.view(),
                policies=[
                    RequestIdPolicy(),
                    HeadersPolicy(base_headers={"Accept": "application/json"}),
                    UserAgentPolicy(sdk_moniker=self._package),
                    CorrelationPolicy(),
                    _CredentialOfRequest(scope),
                ],
            )
        return client


async def read_all(
    client: Sender, settings: Settings, credential: AsyncTokenCredential, path: str, parameters: dict[str, str]
) -> list[dict[str, Any]]:
    """Every item of a list; `path` begins with a slash, `parameters` names the api-version.

    Raises NeedsConsent, AccessDenied, Throttled or MicrosoftError.
    """
    found: list[dict[str, Any]] = []
    body = await ask(client, credential, "GET", f"{settings.arm_url}{path}", parameters)
    home = urlsplit(settings.arm_url).netloc
    for _ in range(MAX_PAGES):
        found += body.get("value") or []
        link = body.get("nextLink")
        if not link:
            return found
        if urlsplit(link).netloc != home:
            raise MicrosoftError(f"A page of {path} names another host as the next.", remote_code="foreignNextLink")
        body = await ask(client, credential, "GET", link)
    raise MicrosoftError(f"The list {path} does not end after {MAX_PAGES} pages.", remote_code="endlessPaging")


async def ask(
    client: Sender,
    credential: AsyncTokenCredential,
    method: str,
    url: str,
    parameters: dict[str, str] | None = None,
    body: Any = None,
) -> dict[str, Any]:
    """The JSON object that a request which changes nothing is answered with; raises as `read_all` does."""
    content = {} if body is None else {"json": body}
    tried = 0
    while True:
        tried += 1
        try:
            request = HttpRequest(method, url, params=parameters, **content)
            response: AsyncHttpResponse = await client.send_request(request, credential_of_request=credential)
            response.raise_for_status()
            answer = response.json()
        except AzureError as error:
            ours = translated(error)
            if tried == TRIES or not _passing(error, ours):
                raise ours from error
        except ValueError as error:
            raise MicrosoftError("Resource Manager's answer is not JSON.", remote_code="notJson") from error
        else:
            return answer if isinstance(answer, dict) else {}
        await asyncio.sleep(PAUSE_SECONDS * tried)


def _passing(error: AzureError, ours: MicrosoftError) -> bool:
    """Whether asking again at once is right: no answer came, or ARM failed and names no time to wait."""
    if not isinstance(ours, Throttled):
        return False
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return ours.status != 429 and not (isinstance(error, HttpResponseError) and "Retry-After" in headers)
