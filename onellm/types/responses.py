"""Responses: what callers get. https://platform.openai.com/docs/api-reference/responses/object"""

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Raw, field

from onellm.types.base import Answer, Model
from onellm.types.chat import Seconds

if TYPE_CHECKING:
    from onellm.types.response_items import ResponseOutputItem as Item

    ResponseStatus = Literal["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"]
else:  # an item is decoded by its own type, and what a word may be is up to the provider
    Item = Raw
    ResponseStatus = str


class ResponseError(Model, kw_only=True, gc=False):
    """Why a response failed."""

    code: str | None = None
    message: str = ""


class IncompleteDetails(Model, kw_only=True, gc=False):
    """Why a response is incomplete: `max_output_tokens`, `content_filter`, …"""

    reason: str | None = None


class InputTokensDetails(Model, kw_only=True, gc=False):
    """Parts of `input_tokens`: read from the provider's cache, and put there."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputTokensDetails(Model, kw_only=True, gc=False):
    """Parts of `output_tokens`."""

    reasoning_tokens: int | None = None


class ResponseUsage(Model, kw_only=True, gc=False):
    """Tokens billed for one response: the input's with cached ones, the output's with reasoning."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens_details: OutputTokensDetails | None = None


# What a response repeats of the request: decoded when asked for.
_ECHOED = frozenset({"instructions", "metadata", "text", "tool_choice", "tools", "reasoning", "conversation", "prompt"})


class Response(Answer, kw_only=True, gc=False):
    """A response. Its items go back in as they are: `input += response.output`."""

    id: str = ""
    object: str = "response"
    created_at: Seconds = 0
    completed_at: Seconds | None = None
    model: str = ""
    status: ResponseStatus | None = None
    output: list[Item] = field(default_factory=list[Item])
    usage: ResponseUsage | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    store: bool | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    truncation: str | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    user: str | None = None

    @property
    def output_text(self) -> str:
        """The texts of all messages, joined."""
        return "".join(
            part.text
            for item in self.output
            if item.type == "message"
            for part in item.content
            if part.type == "output_text"
        )

    @property
    def model_extra(self) -> dict[str, Any]:
        """The top-level fields of the body that this type does not name, decoded when asked for."""
        return {name: value for name, value in super().model_extra.items() if name not in _ECHOED}

    def to_dict(self) -> dict[str, Any]:
        """What was received, unknown fields included."""
        return received(self.raw) or super().to_dict()

    @property
    def instructions(self) -> Any:
        """As in the request: a text or a list of items."""
        return self._echoed("instructions")

    @property
    def metadata(self) -> dict[str, str] | None:
        """As in the request."""
        return self._echoed("metadata")  # type: ignore[no-any-return] # as the provider says it

    @property
    def text(self) -> dict[str, Any] | None:
        """The format and the verbosity that were asked for."""
        return self._echoed("text")  # type: ignore[no-any-return] # as the provider says it

    @property
    def tools(self) -> list[dict[str, Any]] | None:
        """As in the request."""
        return self._echoed("tools")  # type: ignore[no-any-return] # as the provider says it

    @property
    def tool_choice(self) -> Any:
        """As in the request: a word or an object."""
        return self._echoed("tool_choice")

    @property
    def reasoning(self) -> dict[str, Any] | None:
        """The effort and the summary that were asked for."""
        return self._echoed("reasoning")  # type: ignore[no-any-return] # as the provider says it

    @property
    def conversation(self) -> dict[str, Any] | None:
        """The conversation that it belongs to."""
        return self._echoed("conversation")  # type: ignore[no-any-return] # as the provider says it

    @property
    def prompt(self) -> dict[str, Any] | None:
        """The prompt template that was asked for."""
        return self._echoed("prompt")  # type: ignore[no-any-return] # as the provider says it

    def _echoed(self, name: str) -> Any:
        return received(self.raw).get(name)


class ResponseDeleted(Answer, kw_only=True, gc=False):
    """Whether a response is gone."""

    id: str = ""
    object: str = "response"
    deleted: bool = True  # some say it only by the status


class InputTokenCountResponse(Answer, kw_only=True, gc=False):
    """How many tokens an input has."""

    object: str = "response.input_tokens"
    input_tokens: int = 0


def received(raw: bytes) -> dict[str, Any]:
    """A JSON object as it came; empty where nothing came."""
    value: Any = msgspec.json.decode(raw) if raw else None
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON
