"""Nothing that a route gives is lost on its way: FastAPI silently leaves out keys that the declared type lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import TypeAdapter

ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
Serialize = Callable[..., Coroutine[Any, Any, Any]]


def whole(serialize: Serialize) -> Serialize:
    """FastAPI's `serialize_response`, failing where what is sent differs from what the route gave."""

    async def checked(*, response_content: Any, **options: Any) -> Any:
        sent = await serialize(response_content=response_content, **options)
        if isinstance(sent, bytes):
            how: dict[str, Any] = {name: options.get(name) for name in ("by_alias", "exclude_unset")}
            given = json.loads(ANYTHING.dump_json(response_content, **how))
            assert json.loads(sent) == given, f"sent {sent.decode()[:1000]} of {given}"
        return sent

    return checked
