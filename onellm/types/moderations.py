"""Moderations: what callers say, and what they get. https://platform.openai.com/docs/api-reference/moderations"""

from collections.abc import Iterable, Sequence
from typing import Any, Required, TypeAlias, TypeVar

from msgspec import field

from onellm.types.base import Answer, Model
from onellm.types.chat_params import ImagePart, ImagePartParam, MessageParam, TextPart, TextPartParam
from onellm.types.options import ModelOptions
from onellm.types.request import Request

V = TypeVar("V")

ModerationInput: TypeAlias = (
    str | Iterable[str | TextPartParam | ImagePartParam | MessageParam | Iterable[MessageParam]]
)
"""One text; many texts, each judged by itself; parts that are judged together; or the messages of a conversation, or of
several, each judged as one. Of these there is one kind in a call.
"""


class ModerationArguments(ModelOptions, total=False):
    """What is judged and the options of the call, to be checked together."""

    input: Required[str | list[str | TextPart | ImagePart]]


class ByCategory(dict[str, V]):
    """A value for each category, under the provider's own names: `categories["hate/threatening"]`.

    They are also attributes as `openai` spells them, with underscores: `categories.hate_threatening`. It is a dict
    because providers have categories of their own, and what is not in a list of ours must not be lost.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> V:
        for category, value in self.items():
            if category.replace("/", "_").replace("-", "_") == name:
                return value
        raise AttributeError(f"no category {name!r}; there are {', '.join(self)}")


class Moderation(Model, kw_only=True, gc=False):
    """What was found in one input.

    flagged:                       whether anything was; of a provider that does not say, whether any category is true
    categories:                    whether each was found
    category_scores:               how sure the model is, 0 to 1
    category_applied_input_types:  which of "text" and "image" each was looked for in, where the provider says so
    """

    flagged: bool = False
    categories: ByCategory[bool] = field(default_factory=ByCategory[bool])
    category_scores: ByCategory[float] = field(default_factory=ByCategory[float])
    category_applied_input_types: ByCategory[list[str]] | None = None


class ModerationCreateResponse(Answer, kw_only=True, gc=False):
    """One result for each text or conversation, in their order, or one for all parts."""

    id: str = ""
    model: str = ""
    results: list[Moderation] = field(default_factory=list[Moderation])


class ModerationRequest(Request, kw_only=True):
    """A validated call. `model` is "" where the caller leaves the choice to the provider.

    conversations:  the messages of each; then there is no input
    """

    input: str | list[str] | list[dict[str, Any]] = ""
    conversations: Sequence[list[dict[str, Any]]] = ()

    @property
    def expected_results(self) -> int:
        """Parts are judged together, texts and conversations one by one."""
        if self.conversations:
            return len(self.conversations)
        return len(self.input) if isinstance(self.input, list) and isinstance(self.input[0], str) else 1
