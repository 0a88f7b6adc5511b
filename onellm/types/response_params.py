"""What a response is asked for with: typed dicts for callers, and the requests that they become.

https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from onellm.types.options import CallOptions, ModelOptions
from onellm.types.request import Request
from onellm.types.response_items import ResponseItem

InputItem: TypeAlias = Mapping[str, Any] | ResponseItem
"""A message, the answer to a tool call, an item of an earlier response: as a dict, or as it came."""

ResponseInput: TypeAlias = str | Iterable[InputItem]
"""One text, or a list of items."""


class ResponseParams(ModelOptions, total=False):
    """Everything `responses.create` takes beside model, input and stream; None is the same as leaving out."""

    access_programs: Mapping[str, Any] | None
    background: bool | None
    background_options: Mapping[str, Any] | None
    context_management: Sequence[Mapping[str, Any]] | None
    conversation: str | Mapping[str, Any] | None
    image: Mapping[str, Any] | None
    include: Sequence[str] | None
    instructions: str | None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None
    max_tool_calls: Annotated[int, Meta(ge=1)] | None
    metadata: Mapping[str, str] | None
    moderation: Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    previous_response_id: str | None
    prompt: Mapping[str, Any] | None
    prompt_cache_key: str | None
    prompt_cache_options: Mapping[str, Any] | None
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning: Mapping[str, Any] | None
    safety_identifier: str | None
    service_tier: str | None
    store: bool | None
    stream_options: Mapping[str, Any] | None
    temperature: Annotated[float, Meta(ge=0)] | None
    text: Mapping[str, Any] | None
    tool_choice: str | Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    top_logprobs: Annotated[int, Meta(ge=0)] | None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None
    truncation: Literal["auto", "disabled"] | None
    user: str | None


class ResponseRetrieveParams(CallOptions, total=False):
    """What `responses.retrieve` takes beside the id, provider and stream; the last two with `stream=True`.

    starting_after:  the `sequence_number` of the last event that is known
    """

    include: Sequence[str] | None
    include_obfuscation: bool | None
    starting_after: Annotated[int, Meta(ge=0)] | None


class InputItemListParams(CallOptions, total=False):
    """What `responses.input_items.list` takes beside the id and provider."""

    after: str | None
    include: Sequence[str] | None
    limit: Annotated[int, Meta(ge=1)] | None
    order: Literal["asc", "desc"] | None


class InputTokenParams(CallOptions, total=False):
    """What `responses.input_tokens.count` takes beside model and input."""

    conversation: str | Mapping[str, Any] | None
    instructions: str | None
    parallel_tool_calls: bool | None
    personality: str | None
    previous_response_id: str | None
    reasoning: Mapping[str, Any] | None
    text: Mapping[str, Any] | None
    tool_choice: str | Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    truncation: Literal["auto", "disabled"] | None


class ResponseRequest(Request, kw_only=True):
    """A validated call for a response, or for the tokens of one's input.

    input:   a text, or items as they are to be sent; None where the call has none
    params:  the given arguments, None left out, options of the call not among them
    """

    input: str | list[Any] | None
    params: dict[str, Any]


class StoredResponseRequest(Request, kw_only=True):
    """A validated call for a response that the provider keeps."""

    response_id: str
    params: dict[str, Any]
