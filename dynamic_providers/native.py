"""What our listers of native plugins' objects share: an answer as JSON, and a delete that is read back."""

from collections.abc import Mapping
from typing import Any

import httpx

from dynamic_providers.api import Api, Call
from dynamic_providers.errors import AbsentError
from dynamic_providers.waiting import Pace, wait_until


def json_of(response: httpx.Response) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def removed(api: Api, template: str, ids: Mapping[str, str], *, what: str, pace: Pace) -> None:
    """Delete an object, one that is gone already is fine, and wait until its vendor says that it does not exist."""
    try:
        api.request(Call("DELETE", template, ids))
    except AbsentError:
        return

    def there() -> bool:
        try:
            api.request(Call("GET", template, ids))
        except AbsentError:
            return False
        return True

    wait_until(there, lambda still: "it still answers" if still else "", what=f"the delete of {what}", pace=pace)
