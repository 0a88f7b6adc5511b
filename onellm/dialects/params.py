"""Arguments under a host's names: what all dialects do with them. The dicts are changed in place."""

from collections.abc import Mapping
from typing import Any

from onellm.errors import InvalidRequestError
from onellm.types.request import Request

# Values that ask for what every host does unasked: where the argument is not taken, leaving them out changes nothing.
_UNASKED = {
    "n": 1,
    "best_of": 1,
    "echo": False,
    "logprobs": False,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "background": False,
    "store": False,
    "truncation": "disabled",
}


def refuse(params: dict[str, Any], refuses: Mapping[str, str], request: Request) -> None:
    """Leave out what the host does not take, each with its reason; in silence only what changes nothing.

    Raises:
        UnsupportedParameterError: unless the call or the client relaxes it.
    """
    for name in [name for name in params if name in refuses]:
        if not _is_unasked(name, params[name]):
            request.unsupported(name, refuses[name])
        del params[name]


def _is_unasked(name: str, value: Any) -> bool:
    usual = _UNASKED.get(name)
    return usual is not None and value == usual and isinstance(value, bool) == isinstance(usual, bool)


def rename(params: dict[str, Any], renames: Mapping[str, str], request: Request) -> None:
    """Give arguments the names under which the host knows them.

    Raises:
        InvalidRequestError: an argument is there under both names.
    """
    for name, other in renames.items():
        if name in params:
            if other in params:
                raise InvalidRequestError(f"give {other} or {name}, not both", param=name)
            params[other] = params.pop(name)
            request.adjustments.append(f"sent {name} as {other}")
