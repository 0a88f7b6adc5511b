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
    """Whether texts and images hold what a provider calls harmful."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
        self,
        *,
        input: ModerationInput,  # noqa: A002 - OpenAI's name
        model: str | None = None,
        **options: Unpack[ModelOptions],
    ) -> ModerationCreateResponse:
        """Judge a text, texts one by one, or text and image parts together.

        Without model, the default provider chooses. Categories have the provider's own names; `flagged` is there
        with every provider.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        name, own_model = (self._core.config.default_provider, "") if model is None else self._core.split(model)
        plain = input if isinstance(input, str) else _listed(input)
        given = validation.params({**options, "input": plain}, ModerationArguments, "moderations.create")
        bound = self._core.require(name, "moderations")
        taken = self._core.options(bound, given)
        request = ModerationRequest(
            provider=name,
            model=own_model,
            input=plain,
            extra_body=taken.extra_body,
            on_unsupported=taken.on_unsupported,
        )
        provider = cast("ModerationProvider", bound.provider)
        return await taken.send(provider.create_moderation, request)


def _listed(given: Any) -> list[Any]:
    """Texts or parts as a list, all of one kind; what they are, is checked with the other arguments."""
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise InvalidRequestError(
            f"input must be a text, or a list of texts or of parts, not {type(given).__name__}", param="input"
        )
    items = [
        msgspec.to_builtins(item) if isinstance(item, Struct) else dict(item) if isinstance(item, Mapping) else item
        for item in given
    ]
    if not items:
        raise InvalidRequestError("input is empty: give at least one text", param="input")
    if len({isinstance(item, str) for item in items}) > 1:
        raise InvalidRequestError("input mixes texts and parts: give a list of one kind", param="input")
    return items
