"""Answers that were read as a type."""

from typing import Any, Generic, TypeVar

from msgspec import field, structs

from onellm.types.chat import ChatCompletion, ChatCompletionMessage, Choice
from onellm.types.headers import head_of

T = TypeVar("T")


class ParsedChatCompletionMessage(ChatCompletionMessage, Generic[T], kw_only=True, gc=False):
    """A message whose content was read; parsed is None where the model refused, or calls tools instead."""

    parsed: T | None = None

    def to_dict(self) -> dict[str, Any]:
        """The message as it goes back in: what was read stands in `content`."""
        return _without_parsed(super().to_dict())

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        return _without_parsed(super().model_dump(exclude_none=exclude_none))


class ParsedChoice(Choice, Generic[T], kw_only=True, gc=False):
    """One of the `n` answers."""

    message: ParsedChatCompletionMessage[T] = field(default_factory=ParsedChatCompletionMessage[T])  # pyright: ignore[reportIncompatibleVariableOverride] - narrower, and only ever received


class ParsedChatCompletion(ChatCompletion, Generic[T], kw_only=True, gc=False):
    """A whole answer: `reply.choices[0].message.parsed`."""

    choices: list[ParsedChoice[T]] = field(default_factory=list[ParsedChoice[T]])  # type: ignore[assignment] # pyright: ignore[reportIncompatibleVariableOverride] - narrower, and only ever received


def parsed_completion(reply: ChatCompletion, values: list[T | None]) -> ParsedChatCompletion[T]:
    """The answer with what was read of each choice."""
    whole = structs.asdict(reply)
    whole["choices"] = [_parsed_choice(*pair) for pair in zip(reply.choices, values, strict=True)]
    parsed = ParsedChatCompletion[T](**whole)
    parsed.head = head_of(reply)
    return parsed


def _parsed_choice(choice: Choice, value: T | None) -> ParsedChoice[T]:
    fields = structs.asdict(choice)
    fields["message"] = ParsedChatCompletionMessage[T](**structs.asdict(choice.message), parsed=value)
    return ParsedChoice[T](**fields)


def _without_parsed(dumped: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in dumped.items() if key != "parsed"}
