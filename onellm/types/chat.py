"""Chat completions: what callers say, and what they get.

Received types have OpenAI's names; fields beyond OpenAI's are marked. https://platform.openai.com/docs/api-reference/chat
"""

from base64 import b64decode
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from msgspec import Struct, field

from onellm.errors import ResponseDecodeError, ResponseValidationError, UnsupportedFeatureError
from onellm.types.base import Answer, Model

if TYPE_CHECKING:
    from decimal import Decimal

    FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call", "error", "other"]
    Role = Literal["assistant", "user", "system", "developer", "tool", "function"]
    Seconds = int
else:  # what is received is any text; the dialect's table turns it into one of the above
    FinishReason = str
    Role = str
    Seconds = int | float  # one host sends fractions

ModelT = TypeVar("ModelT", bound=Model)

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class ProviderData(Struct, kw_only=True):
    """What a provider wants back with the message it came with: signatures, encrypted reasoning.

    Opaque: it is sent back to `provider` as it is, and to no other.
    """

    provider: str
    data: dict[str, Any]


class PromptTokensDetails(Model, kw_only=True, gc=False):
    """Parts of `prompt_tokens`. `cached_tokens` were read from the provider's cache, `cache_write_tokens` put there."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    text_tokens: int | None = None


class CompletionTokensDetails(Model, kw_only=True, gc=False):
    """Parts of `completion_tokens`."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    text_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class CompletionUsage(Model, kw_only=True, gc=False):
    """Tokens billed for one exchange: the prompt's with cached ones, the answer's with reasoning."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None

    def __add__(self, other: "CompletionUsage") -> "CompletionUsage":
        """The tokens of both; what neither says stays None."""
        return _sum(self, other)


def _sum(one: ModelT, other: ModelT) -> ModelT:
    total: dict[str, Any] = {}
    for name in one.__struct_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine is None or theirs is None:
            total[name] = theirs if mine is None else mine
        else:
            total[name] = _sum(mine, theirs) if isinstance(mine, Model) else mine + theirs
    return type(one)(**total)


class Function(Model, kw_only=True, gc=False):
    """A called function; `arguments` is JSON text as the model wrote it, which may be invalid."""

    name: str = ""
    arguments: str = ""

    @property
    def parsed_arguments(self) -> dict[str, Any]:
        """The arguments as plain Python values. `FunctionTool.arguments` gives those of a function's own types.

        Raises:
            ResponseValidationError: they are no JSON object; it has what the model wrote.
        """
        written = self.arguments.encode(errors="surrogatepass")
        try:
            return _decode_object(written or b"{}")
        except (msgspec.DecodeError, RecursionError) as exc:
            what = str(exc).replace("`", "")
            raise ResponseValidationError(f"the arguments of {self.name} are no object: {what}", body=written) from exc


class CustomCall(Model, kw_only=True, gc=False):
    """A called custom tool; `input` is free text."""

    name: str = ""
    input: str = ""


class ChatCompletionMessageToolCall(Model, kw_only=True, gc=False):
    """One tool call. `type` is "function", or "custom" with `custom` in place of `function`."""

    id: str = ""
    type: str = "function"
    function: Function = field(default_factory=Function)
    custom: CustomCall | None = None
    extra_content: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """The call without the half that its `type` does not have."""
        dumped = super().model_dump(exclude_none=exclude_none)
        dumped.pop("function" if self.type == "custom" else "custom", None)
        return dumped


class FunctionCall(Model, kw_only=True, gc=False):
    """The deprecated form of a tool call."""

    name: str = ""
    arguments: str = ""


class UrlCitation(Model, kw_only=True, gc=False):
    """A source; the indexes count characters of the answer's content."""

    url: str = ""
    title: str = ""
    start_index: int | None = None
    end_index: int | None = None


class Annotation(Model, kw_only=True, gc=False):
    """A remark on the content; `url_citation` where `type` says so."""

    type: str = ""
    url_citation: UrlCitation | None = None


class Citation(Model, kw_only=True, gc=False):
    """Beyond OpenAI: a source of the answer, whatever the provider calls it.

    url, title:              of the source, where it has them
    text:                    what the source says, word for word
    start_index, end_index:  the part of the answer's content that rests on it, in characters
    document:                which of the documents that went in it is: its id or file id, or its place, from 0
    raw_citation:            the provider's own words for it, with what has no field here (pages, blocks)
    """

    url: str | None = None
    title: str | None = None
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    document: str | int | None = None
    raw_citation: dict[str, Any] | None = None


class ChatCompletionAudio(Model, kw_only=True, gc=False):
    """Spoken output: base64 in the format that was asked for, and its transcript."""

    id: str = ""
    data: str = ""
    expires_at: int | None = None
    transcript: str = ""


class ImageSource(Model, kw_only=True, gc=False):
    """Where an image is: mostly a `data:` URL."""

    url: str = ""


class OutputImage(Model, kw_only=True, gc=False):
    """Beyond OpenAI: an image that the model made, in the shape of a message's image part."""

    type: str = "image_url"
    image_url: ImageSource = field(default_factory=ImageSource)

    @property
    def content(self) -> bytes:
        """The image itself, decoded anew each time.

        Raises:
            UnsupportedFeatureError: it stands at a URL; nothing is downloaded unasked.
            ResponseDecodeError: it is not base64.
        """
        head, _, encoded = self.image_url.url.partition(",")
        if not head.startswith("data:"):
            raise UnsupportedFeatureError(f"the image stands at {self.image_url.url}; download it yourself")
        try:
            return b64decode(encoded, validate=True)
        except ValueError as exc:
            raise ResponseDecodeError(f"the image is not base64: {exc}") from exc


class TopLogprob(Model, kw_only=True, gc=False):
    """A candidate for one position. `bytes` are the UTF-8 bytes of the token."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class TokenLogprob(TopLogprob, kw_only=True, gc=False):
    """The token that was chosen, and its alternatives."""

    top_logprobs: list[TopLogprob] = field(default_factory=list[TopLogprob])


class ChoiceLogprobs(Model, kw_only=True, gc=False):
    """Log probabilities of the content's tokens and of the refusal's."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


class PromptFilterResult(Model, kw_only=True, gc=False):
    """Beyond OpenAI: what a host's filters found in one prompt, by category; see `Choice.content_filter_results`."""

    prompt_index: int = 0
    content_filter_results: dict[str, Any] | None = None


class ChatCompletionMessage(Model, kw_only=True, gc=False):
    """The answer's message; it goes back in as it is: `messages.append(reply.choices[0].message)`.

    Beyond OpenAI:
    reasoning:      the model's thinking as text, where the provider shows it
    citations:      sources, where the provider names them
    images:         what the model drew, where it draws
    provider_data:  what the provider wants back with the message
    """

    role: Role = "assistant"
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ChatCompletionMessageToolCall] | None = None
    function_call: FunctionCall | None = None
    annotations: list[Annotation] | None = None
    audio: ChatCompletionAudio | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    citations: list[Citation] | None = None
    images: list[OutputImage] | None = None
    provider_data: ProviderData | None = None


class Choice(Model, kw_only=True, gc=False):
    """One of the `n` answers. `finish_reason_raw` is the provider's own word.

    Beyond OpenAI:
    unfinished:              True where the provider has paused in the middle of the turn: append the message and ask
                             again as before, and it goes on
    content_filter_results:  what a host's filters found, by category, such as {"hate": {"filtered": False,
                             "severity": "safe"}}; of a streamed answer, the worst that was said of each
    """

    index: int = 0
    message: ChatCompletionMessage = field(default_factory=ChatCompletionMessage)
    finish_reason: FinishReason | None = None
    finish_reason_raw: str | None = None
    unfinished: bool | None = None
    logprobs: ChoiceLogprobs | None = None
    content_filter_results: dict[str, Any] | None = None


class ChatCompletion(Answer, kw_only=True, gc=False):
    """A whole answer. Beyond OpenAI, `prompt_filter_results` is what a host's filters found in the question."""

    id: str = ""
    object: str = "chat.completion"
    created: Seconds = 0
    model: str = ""
    choices: list[Choice] = field(default_factory=list[Choice])
    usage: CompletionUsage | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: list[PromptFilterResult] | None = None

    def cost(self) -> "Decimal | None":
        """What it cost in US dollars, by the price list of `genai-prices`; None where that is not known.

        Raises:
            MissingDependencyError: `genai-prices` is not installed.
        """
        from onellm.types.prices import cost  # noqa: PLC0415 - for callers who use it

        return cost(self.provider, self.model, self.usage, created=self.created, tier=self.service_tier)


class TokenCount(Answer, kw_only=True, gc=False):
    """How many tokens a call's prompt has, by the provider's own count: messages, tools and files."""

    input_tokens: int = 0


class DeltaFunction(Model, kw_only=True, gc=False):
    """A piece of a called function: the name comes once, the arguments in fragments that concatenate."""

    name: str | None = None
    arguments: str | None = None


class DeltaCustom(Model, kw_only=True, gc=False):
    """A piece of a called custom tool."""

    name: str | None = None
    input: str | None = None


class ChoiceDeltaToolCall(Model, kw_only=True, gc=False):
    """A piece of a tool call. `index` is the call's place in the message, also where the provider sends none."""

    index: int = -1
    id: str | None = None
    type: str | None = None
    function: DeltaFunction | None = None
    custom: DeltaCustom | None = None
    extra_content: dict[str, Any] | None = None


class DeltaAudio(Model, kw_only=True, gc=False):
    """A piece of spoken output."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class ChoiceDelta(Model, kw_only=True, gc=False):
    """What a chunk adds to the message."""

    role: Role | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ChoiceDeltaToolCall] | None = None
    function_call: DeltaFunction | None = None
    annotations: list[Annotation] | None = None
    audio: DeltaAudio | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    citations: list[Citation] | None = None
    images: list[OutputImage] | None = None


class ChunkChoice(Model, kw_only=True, gc=False):
    """One choice's part of a chunk.

    Beyond OpenAI:
    content_filter_results:  as in `Choice`, of a part of the text
    content_filter_offsets:  the part that they are about, where a host filters while it streams: `check_offset`,
                             `start_offset` and `end_offset`, in characters; such a chunk adds nothing to the message
    """

    index: int = 0
    delta: ChoiceDelta = field(default_factory=ChoiceDelta)
    finish_reason: FinishReason | None = None
    finish_reason_raw: str | None = None
    logprobs: ChoiceLogprobs | None = None
    content_filter_results: dict[str, Any] | None = None
    content_filter_offsets: dict[str, Any] | None = None


class ChatCompletionChunk(Answer, kw_only=True, gc=False):
    """A piece of a streamed answer.

    Beyond OpenAI, `prompt_filter_results` is as in `ChatCompletion`; what a host says of the question before the
    answer begins stands on the first piece of the answer.
    """

    id: str = ""
    object: str = "chat.completion.chunk"
    created: Seconds = 0
    model: str = ""
    choices: list[ChunkChoice] = field(default_factory=list[ChunkChoice])
    usage: CompletionUsage | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: list[PromptFilterResult] | None = None
