# GENERATED from onellm/resources/moderations.py by onellm._sync.generate. Do not edit: run make sync.

"""`moderations`. https://platform.openai.com/docs/api-reference/moderations"""

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm.resources.moderations import AsyncModerations
from onellm.types.moderations import ModerationCreateResponse, ModerationInput
from onellm.types.options import ModelOptions


class Moderations:
    """Whether texts, images and conversations hold what a provider calls harmful."""

    def __init__(self, held: AsyncModerations) -> None:
        self._async = held

    def create(
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
        return run(self._async.create(input=input, model=model, **options))
