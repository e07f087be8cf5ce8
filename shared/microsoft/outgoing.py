"""What every request to Microsoft carries, whichever client sends it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from shared import correlation
from shared.settings import Settings


class CorrelationPolicy(SansIOHTTPPolicy[Any, Any]):
    """For Azure SDK clients (`per_call_policies`): adds the correlation id; the SDK adds a request id itself."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Add the header."""
        if current := correlation.current():
            request.http_request.headers[correlation.HEADER] = current


def services(settings: Settings) -> dict[str, str]:
    """What telemetry calls each service of Microsoft's, by the host (and port) in its URLs."""
    urls = {
        "login": settings.login_url,
        "arm": settings.arm_url,
        "graph": settings.graph_url,
        "partnerCenter": settings.partner_center_url,
        "vault": settings.key_vault_url,
    }
    return {urlsplit(url).netloc: name for name, url in urls.items()}


def httpx_hook(settings: Settings) -> Callable[[httpx.Request], Awaitable[None]]:
    """For the httpx client: adds request and correlation id to requests to Microsoft, and to nobody else."""
    urls = (settings.login_url, settings.graph_url, settings.partner_center_url, settings.arm_url)
    hosts = {urlsplit(url).netloc for url in urls}

    async def add(request: httpx.Request) -> None:
        if request.url.netloc.decode() in hosts:
            request.headers.setdefault("client-request-id", str(uuid.uuid4()))
            if current := correlation.current():
                request.headers[correlation.HEADER] = current

    return add
