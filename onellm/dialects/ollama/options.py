"""OpenAI's sampling names as the API's `options`."""

from collections.abc import Mapping
from typing import Any

from onellm.dialects.params import rename
from onellm.types.request import Request

_RENAMES = {"max_completion_tokens": "num_predict", "max_tokens": "num_predict"}
_SAME = ("num_predict", "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")


def take_sampling(params: dict[str, Any], request: Request) -> dict[str, Any]:
    """The arguments that are options there, taken out of the others.

    Raises:
        InvalidRequestError: the length of the answer is given under two names.
    """
    rename(params, _RENAMES, request)
    options = {name: params.pop(name) for name in _SAME if name in params}
    if (stop := params.pop("stop", None)) is not None:
        options["stop"] = [stop] if isinstance(stop, str) else list(stop)
    return options


def with_extra(body: dict[str, Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """A body and the caller's own fields; options of the caller's own stand beside ours."""
    given: Any = (extra or {}).get("options")
    merged = {**body, **(extra or {})}
    if isinstance(given, Mapping) and "options" in body:
        merged["options"] = body["options"] | given
    return merged
