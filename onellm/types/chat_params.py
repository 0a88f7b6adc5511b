"""What a chat call takes: typed dicts for callers, tagged Structs that validate them, and the request they become.

Callers may pass dicts, these TypedDicts, the message Structs below, or a message that came out of an answer.
https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, Required, TypeAlias

from msgspec import Meta, Struct
from typing_extensions import TypedDict

from onellm.types.chat import ChatCompletionMessage, ProviderData
from onellm.types.options import ModelOptions
from onellm.types.request import Request

if TYPE_CHECKING:
    from onellm.types.anthropic import AnthropicOptions
    from onellm.types.bedrock import BedrockOptions
    from onellm.types.cohere import CohereOptions
    from onellm.types.functions import FunctionTool
    from onellm.types.google import GoogleOptions
    from onellm.types.ollama import OllamaOptions
else:  # checked by the dialect that reads them: only those who use one import it
    AnthropicOptions = BedrockOptions = CohereOptions = GoogleOptions = OllamaOptions = Any

# --- content parts ----------------------------------------------------------------------------------------------


class ImageUrl(TypedDict, total=False):
    """An image: an https URL, or `data:image/png;base64,…`."""

    url: Required[str]
    detail: Literal["auto", "low", "high", "original"]


class InputAudio(TypedDict):
    """Sound as base64, without a `data:` prefix."""

    data: str
    format: str


class FileData(TypedDict, total=False):
    """A document: the id of an uploaded file, or `data:application/pdf;base64,…` with a file name."""

    file_id: str
    file_data: str
    filename: str


class CacheControl(TypedDict, total=False):
    """Beyond OpenAI: up to here the prompt is to be cached, for five minutes or an hour."""

    type: Required[Literal["ephemeral"]]
    ttl: Literal["5m", "1h"]


class TextPartParam(TypedDict):
    type: Literal["text"]
    text: str
    cache_control: NotRequired[CacheControl]


class ImagePartParam(TypedDict):
    type: Literal["image_url"]
    image_url: ImageUrl
    cache_control: NotRequired[CacheControl]


class InputAudioPartParam(TypedDict):
    type: Literal["input_audio"]
    input_audio: InputAudio


class FilePartParam(TypedDict):
    type: Literal["file"]
    file: FileData
    cache_control: NotRequired[CacheControl]


class RefusalPartParam(TypedDict):
    type: Literal["refusal"]
    refusal: str


class _Part(Struct, tag_field="type", kw_only=True):
    pass


class TextPart(_Part, tag="text"):
    text: str


class ImagePart(_Part, tag="image_url"):
    image_url: ImageUrl | str  # a bare string is what some hosts document


class InputAudioPart(_Part, tag="input_audio"):
    input_audio: InputAudio | str  # likewise


class FilePart(_Part, tag="file"):
    file: FileData


class RefusalPart(_Part, tag="refusal"):
    refusal: str


Part: TypeAlias = TextPart | ImagePart | InputAudioPart | FilePart | RefusalPart
PartParam: TypeAlias = TextPartParam | ImagePartParam | InputAudioPartParam | FilePartParam | Part

# --- tool calls in the history ----------------------------------------------------------------------------------


class FunctionParam(TypedDict):
    name: str
    arguments: str


class CustomParam(TypedDict):
    name: str
    input: str


class FunctionCallParam(TypedDict):
    id: str
    type: Literal["function"]
    function: FunctionParam


class CustomCallParam(TypedDict):
    id: str
    type: Literal["custom"]
    custom: CustomParam


class _Call(Struct, tag_field="type", kw_only=True):
    id: str
    extra_content: dict[str, Any] | None = None


class FunctionToolCall(_Call, tag="function"):
    function: FunctionParam


class CustomToolCall(_Call, tag="custom"):
    custom: CustomParam


ToolCall: TypeAlias = FunctionToolCall | CustomToolCall

# --- messages ---------------------------------------------------------------------------------------------------


class SystemMessageParam(TypedDict, total=False):
    role: Required[Literal["system"]]
    content: Required[str | Iterable[TextPartParam]]
    name: str
    cache_control: CacheControl


class DeveloperMessageParam(TypedDict, total=False):
    role: Required[Literal["developer"]]
    content: Required[str | Iterable[TextPartParam]]
    name: str
    cache_control: CacheControl


class UserMessageParam(TypedDict, total=False):
    role: Required[Literal["user"]]
    content: Required[str | Iterable[PartParam]]
    name: str
    cache_control: CacheControl


class AssistantMessageParam(TypedDict, total=False):
    role: Required[Literal["assistant"]]
    content: str | Iterable[TextPartParam | RefusalPartParam] | None
    refusal: str | None
    name: str
    tool_calls: Iterable[FunctionCallParam | CustomCallParam]
    audio: Mapping[str, str] | None
    cache_control: CacheControl


class ToolMessageParam(TypedDict):
    """What a tool gave. Beyond OpenAI: is_error says that it failed, to providers that want to know."""

    role: Literal["tool"]
    tool_call_id: str
    content: str | Iterable[TextPartParam | ImagePartParam | FilePartParam]
    cache_control: NotRequired[CacheControl]
    is_error: NotRequired[bool]


class FunctionMessageParam(TypedDict):
    role: Literal["function"]
    name: str
    content: str | None


class _Message(Struct, tag_field="role", kw_only=True):
    name: str | None = None


class SystemMessage(_Message, tag="system"):
    content: str | list[Part]


class DeveloperMessage(_Message, tag="developer"):
    content: str | list[Part]


class UserMessage(_Message, tag="user"):
    content: str | list[Part]


class AudioReference(TypedDict):
    """Spoken output of an earlier turn."""

    id: str


class AssistantMessage(_Message, tag="assistant"):
    content: str | list[Part] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionParam | None = None
    audio: AudioReference | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    provider_data: ProviderData | None = None


class ToolMessage(_Message, tag="tool"):
    tool_call_id: str
    content: str | list[Part]
    is_error: bool | None = None


class FunctionMessage(_Message, tag="function"):
    content: str | None = None


Message: TypeAlias = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage
MessageParam: TypeAlias = (
    SystemMessageParam
    | DeveloperMessageParam
    | UserMessageParam
    | AssistantMessageParam
    | ToolMessageParam
    | FunctionMessageParam
    | Message
    | ChatCompletionMessage
)

# --- tools and formats ------------------------------------------------------------------------------------------


class FunctionDefinition(TypedDict, total=False):
    name: Required[str]
    description: str
    parameters: Mapping[str, Any]
    strict: bool | None


class CustomDefinition(TypedDict, total=False):
    name: Required[str]
    description: str
    format: Mapping[str, Any]


class ToolParam(TypedDict, total=False):
    """A tool: `{"type": "function", "function": {...}}` or `{"type": "custom", "custom": {...}}`."""

    type: Required[str]
    function: FunctionDefinition
    custom: CustomDefinition
    cache_control: CacheControl


if TYPE_CHECKING:
    AnyTool: TypeAlias = ToolParam | FunctionTool | Callable[..., Any]
else:  # functions are made schemas before the arguments are looked at
    AnyTool = ToolParam


class ToolChoice(TypedDict, total=False):
    """The tool that must be called, or the ones that may be."""

    type: Required[Literal["function", "custom", "allowed_tools"]]
    function: Mapping[str, str]
    custom: Mapping[str, str]
    allowed_tools: Mapping[str, Any]


class JsonSchema(TypedDict, total=False):
    name: Required[str]
    description: str
    schema: Mapping[str, Any]
    strict: bool | None


class ResponseFormat(TypedDict, total=False):
    """`{"type": "text"}`, `{"type": "json_object"}` or `{"type": "json_schema", "json_schema": {...}}`."""

    type: Required[Literal["text", "json_object", "json_schema"]]
    json_schema: JsonSchema


class AudioOutput(TypedDict):
    """Spoken output: a voice's name or `{"id": …}`, and wav, aac, mp3, flac, opus or pcm16."""

    voice: str | Mapping[str, str]
    format: str


class StreamOptions(TypedDict, total=False):
    include_usage: bool
    include_obfuscation: bool


class ParseParams(ModelOptions, total=False):
    """Everything `chat.completions.parse` takes beside model, messages, response_format and stream.

    cache:  whether the provider keeps the prompt for the next call, and how long at least
    tools:  schemas, Python functions, or functions as `FunctionTool`
    anthropic, bedrock, cohere, google, ollama:  for hosts that speak these APIs; others refuse them
    """

    anthropic: AnthropicOptions | None

    audio: AudioOutput | None
    bedrock: BedrockOptions | None
    cache: Literal["off", "on", "5m", "1h"] | None
    cohere: CohereOptions | None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None
    function_call: Literal["none", "auto"] | Mapping[str, str] | None
    functions: Sequence[FunctionDefinition] | None
    google: GoogleOptions | None
    logit_bias: Mapping[str, float] | None
    logprobs: bool | None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None
    max_tokens: Annotated[int, Meta(ge=1)] | None
    metadata: Mapping[str, str] | None
    modalities: Sequence[Literal["text", "audio", "image"]] | None
    moderation: Mapping[str, Any] | None
    n: Annotated[int, Meta(ge=1)] | None
    ollama: OllamaOptions | None
    parallel_tool_calls: bool | None
    prediction: Mapping[str, Any] | None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None
    prompt_cache_key: str | None
    prompt_cache_options: Mapping[str, Any] | None
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    safety_identifier: str | None
    seed: int | None
    service_tier: str | None
    stop: str | Sequence[str] | None
    store: bool | None
    stream_options: StreamOptions | None
    temperature: Annotated[float, Meta(ge=0)] | None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None
    tools: Sequence[AnyTool] | None
    top_logprobs: Annotated[int, Meta(ge=0)] | None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None
    user: str | None
    verbosity: Literal["low", "medium", "high"] | None
    web_search_options: Mapping[str, Any] | None


class ChatParams(ParseParams, total=False):
    """Everything `chat.completions.create` takes beside model, messages and stream; None is the same as leaving out."""

    response_format: ResponseFormat | None


NATIVE_OPTIONS = frozenset({"anthropic", "bedrock", "cohere", "google", "ollama"})
"""The arguments that only hosts of one native API take."""


class ChatRequest(Request, kw_only=True, gc=False):
    """A validated chat call.

    messages:  as OpenAI spells them, plain dicts and lists, fields that we do not know included
    params:    the given arguments of `create`, None left out, options of the call not among them
    texts:     whether each message is known to be a role and a text, and nothing else
    """

    messages: list[dict[str, Any]]
    params: dict[str, Any]
    texts: bool = False
