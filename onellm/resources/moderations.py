"""`moderations`. https://platform.openai.com/docs/api-reference/moderations"""

# pyright: reportUnnecessaryIsInstance=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# What callers give may be anything.

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Struct
from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.types.moderations import (
    ModerationArguments,
    ModerationCreateResponse,
    ModerationInput,
    ModerationRequest,
)
from onellm.types.options import ModelOptions

if TYPE_CHECKING:
    from onellm.providers.protocols import ModerationProvider


class AsyncModerations:
    """Whether texts, images and conversations hold what a provider calls harmful."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
        self,
        *,
        input: ModerationInput,  # noqa: A002 - OpenAI's name
        model: str | None = None,
        **options: Unpack[ModelOptions],
    ) -> ModerationCreateResponse:
        """Judge a text, texts one by one, text and image parts together, or conversations one by one.

        A conversation is a list of messages, as chat has them; several are a list of such lists. Providers that judge
        none refuse them: `onellm providers` says who does.

        Without model, the default provider chooses. Categories have the provider's own names; `flagged` is there
        with every provider.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        name, own_model = (self._core.config.default_provider, "") if model is None else self._core.split(model)
        plain = input if isinstance(input, str) else _listed(input)
        conversations = _conversations(plain)
        checked = {} if conversations else {"input": plain}
        known = ModelOptions if conversations else ModerationArguments
        given = validation.params({**options, **checked}, known, "moderations.create")
        bound = self._core.require(name, "moderations")
        taken = self._core.options(bound, given)
        request = ModerationRequest(
            provider=name,
            model=own_model,
            input="" if conversations else plain,
            conversations=conversations,
            extra_body=taken.extra_body,
            on_unsupported=taken.on_unsupported,
        )
        provider = cast("ModerationProvider", bound.provider)
        return await taken.send(provider.create_moderation, request)


def _listed(given: Any) -> list[Any]:
    """Texts, parts, messages or conversations as a list, all of one kind; what they are, is checked later."""
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise InvalidRequestError(
            f"input must be a text, or a list of texts, of parts or of messages, not {type(given).__name__}",
            param="input",
        )
    items = list(given)
    if not items:
        raise InvalidRequestError("input is empty: give at least one text", param="input")
    kinds = {_kind(item) for item in items}
    if len(kinds) > 1:
        raise InvalidRequestError(f"input mixes {' and '.join(sorted(kinds))}: give a list of one kind", param="input")
    if kinds != {"parts"}:
        return items
    return [
        msgspec.to_builtins(item) if isinstance(item, Struct) else dict(item) if isinstance(item, Mapping) else item
        for item in items
    ]


def _kind(item: Any) -> str:
    match item:
        case str():
            return "texts"
        case {"role": _}:
            return "messages"
        case Struct() if hasattr(item, "role"):
            return "messages"
        case Mapping() | Struct() | bytes():
            return "parts"
        case Iterable():
            return "conversations"
        case _:
            return "parts"


def _conversations(given: str | list[Any]) -> list[list[dict[str, Any]]]:
    """The messages of each conversation, checked as a chat's are; none where other things are judged."""
    if isinstance(given, str):
        return []
    match _kind(given[0]):
        case "messages":
            return [_messages(given, "input")]
        case "conversations":
            return [_messages(messages, f"input[{place}]") for place, messages in enumerate(given)]
        case _:
            return []


def _messages(given: Any, where: str) -> list[dict[str, Any]]:
    try:
        return validation.messages(given)
    except InvalidRequestError as exc:
        raise InvalidRequestError(exc.message.replace("messages", where, 1), param="input") from None
