"""Arguments under a host's names: what all dialects do with them. The dicts are changed in place."""

from collections.abc import Mapping
from typing import Any

from onellm.types.request import Request


def refuse(params: dict[str, Any], refuses: Mapping[str, str], request: Request) -> None:
    """Leave out what the host does not take, each with its reason.

    Raises:
        UnsupportedParameterError: unless the call or the client relaxes it.
    """
    for name in refuses.keys() & params.keys():
        request.unsupported(name, refuses[name])
        del params[name]


def rename(params: dict[str, Any], renames: Mapping[str, str], request: Request) -> None:
    """Give arguments the names under which the host knows them."""
    for name, other in renames.items():
        if name in params:
            params[other] = params.pop(name)
            request.adjustments.append(f"sent {name} as {other}")
