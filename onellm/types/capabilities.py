"""What a model can do, and how that is known."""

from typing import Literal

from msgspec import Struct

from onellm.types.base import Answer

State = Literal["yes", "no", "unknown"]
Source = Literal["provider says", "row", "unknown"]


class Capability(Struct, frozen=True):
    """Whether a model can do one thing. It is true in an `if` where that is known, and only there.

    state:   "yes", "no" or "unknown"
    source:  "provider says": of this very model; "row": of the host, so that "no" holds for all of its models and
        "yes" for some; "unknown"
    """

    state: State = "unknown"
    source: Source = "unknown"

    def __bool__(self) -> bool:
        return self.state == "yes"

    def __str__(self) -> str:
        return self.state if self.source == "unknown" else f"{self.state} ({self.source})"


UNKNOWN = Capability()


class PublishedCapabilities(Answer, kw_only=True, gc=False):
    """What a provider publishes of a model. None: it does not say; `raw` is its own description.

    The names are those of `Capabilities`.
    """

    context_window: int | None = None
    max_output_tokens: int | None = None
    chat: bool | None = None
    tools: bool | None = None
    vision: bool | None = None
    audio_input: bool | None = None
    document_input: bool | None = None
    json_mode: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    prompt_caching: bool | None = None
    streaming: bool | None = None
    embeddings: bool | None = None


class Capabilities(Struct, frozen=True, kw_only=True):
    """What is known of a model: `if client.models.capabilities(...).tools: ...`.

    model:              as it was asked for, "provider/model"
    context_window:     tokens of prompt and answer together, where the provider publishes it
    max_output_tokens:  the longest answer, likewise
    document_input:     PDFs and the like as parts of a message
    json_mode, json_schema:  what `response_format` may be
    prompt_caching:     whether the provider keeps prompts, see `cache=`
    raw:                the provider's own description, where it was asked
    """

    model: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    chat: Capability = UNKNOWN
    tools: Capability = UNKNOWN
    vision: Capability = UNKNOWN
    audio_input: Capability = UNKNOWN
    document_input: Capability = UNKNOWN
    json_mode: Capability = UNKNOWN
    json_schema: Capability = UNKNOWN
    reasoning: Capability = UNKNOWN
    prompt_caching: Capability = UNKNOWN
    streaming: Capability = UNKNOWN
    embeddings: Capability = UNKNOWN
    raw: bytes = b""


FLAGS = {
    "chat": "chat_support",
    "tools": "function_calling_support",
    "vision": "vision_support",
    "audio_input": "audio_input_support",
    "document_input": "document_input_support",
    "json_mode": "json_mode_support",
    "json_schema": "json_schema_support",
    "reasoning": "reasoning_support",
    "prompt_caching": "prompt_caching_support",
    "streaming": "streaming_support",
    "embeddings": "embeddings_support",
}
"""The flag of a provider that stands for each capability."""
