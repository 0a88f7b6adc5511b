"""Arguments under a host's names: what all dialects do with them. The dicts are changed in place."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from onellm.errors import InvalidRequestError
from onellm.types.chat_params import NATIVE_OPTIONS, ChatRequest
from onellm.types.request import Request

if TYPE_CHECKING:
    from onellm.types.realtime import RealtimeRequest

OptionsT = TypeVar("OptionsT", bound=Struct)

OMIT = ""
"""In the `values` of a dialect: what the argument asks for is what the host does anyway."""

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


def take_stream_options(params: dict[str, Any], request: Request) -> None:
    """Take `stream_options` out, for a host that has none: of usage it sends what it sends.

    Raises:
        UnsupportedParameterError: padding is asked for; unless the call or the client relaxes it.
    """
    options = params.pop("stream_options", None)
    if options and options.get("include_obfuscation"):
        request.unsupported("stream_options.include_obfuscation", "it pads no chunks")


def asks_for_usage(request: ChatRequest) -> bool:
    """Whether a stream is to end with a chunk that has usage and no choices, as OpenAI's does for those who ask."""
    options = request.params.get("stream_options")
    return bool(options and options.get("include_usage"))


def native_options(request: "ChatRequest | RealtimeRequest", name: str, kind: type[OptionsT]) -> OptionsT:
    """The options of a dialect's own API in a call, such as `anthropic=AnthropicOptions(...)`; else the defaults.

    Raises:
        InvalidRequestError: they are of another type, or hold what does not fit.
    """
    given = request.params.get(name)
    if isinstance(given, kind):
        given = msgspec.to_builtins(given)  # a Struct's own constructor checks nothing
    try:
        return kind() if given is None else msgspec.convert(given, kind)
    except msgspec.ValidationError as exc:
        raise InvalidRequestError(f"{name} must be {kind.__name__}(...): {exc}", param=name) from None


def refuse_foreign_options(params: dict[str, Any], request: Request) -> None:
    """Leave out the options of native APIs, for a dialect that has none.

    Raises:
        UnsupportedParameterError: unless the call or the client relaxes it.
    """
    for name in sorted(NATIVE_OPTIONS & params.keys()):
        request.unsupported(name, "it is for hosts that speak that API")
        del params[name]
