"""What a realtime session is asked for, and what is said to it.

https://platform.openai.com/docs/guides/realtime and https://ai.google.dev/gemini-api/docs/live
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Required, TypeAlias

from msgspec import Struct, field
from typing_extensions import TypedDict

from onellm.types.base import Answer
from onellm.types.options import OnUnsupported, Timeouts
from onellm.types.request import Request

if TYPE_CHECKING:
    from onellm.types.chat_params import AnyTool, MessageParam
    from onellm.types.google import GoogleOptions
else:  # functions and messages are checked where they are taken apart, options by the dialect that has them
    AnyTool = GoogleOptions = MessageParam = Any

AudioFormat: TypeAlias = Literal["pcm16", "g711_ulaw", "g711_alaw"]
"""16-bit little-endian mono samples, or G.711 at 8 kHz."""
Modality: TypeAlias = Literal["audio", "text"]
Sensitivity: TypeAlias = Literal["low", "medium", "high"]


class ServerVad(TypedDict, total=False):
    """A turn ends when it has been quiet for a while.

    sensitivity:          how little counts as speech; `threshold` (0 to 1) says it as a number, where it is taken
    prefix_padding_ms:    audio before the speech that counts as part of it
    silence_duration_ms:  how long it must be quiet
    create_response:      whether the model answers by itself at the end of a turn
    interrupt_response:   whether speech stops what the model is saying
    idle_timeout_ms:      after this much quiet the model speaks up, where it is taken
    """

    type: Required[Literal["server_vad"]]
    sensitivity: Sensitivity
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int
    create_response: bool
    interrupt_response: bool
    idle_timeout_ms: int | None


class SemanticVad(TypedDict, total=False):
    """A turn ends when the user seems to have said all. eagerness: how soon that is assumed."""

    type: Required[Literal["semantic_vad"]]
    eagerness: Literal["low", "medium", "high", "auto"]
    create_response: bool
    interrupt_response: bool


class _Vad(TypedDict, total=False):
    """Either: msgspec takes no union of two."""

    type: Required[Literal["server_vad", "semantic_vad"]]
    sensitivity: Sensitivity
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int
    eagerness: Literal["low", "medium", "high", "auto"]
    create_response: bool
    interrupt_response: bool
    idle_timeout_ms: int | None


if TYPE_CHECKING:
    TurnDetection: TypeAlias = ServerVad | SemanticVad | Literal["server_vad", "semantic_vad", "none"]
    """Who says when a turn ends; with "none" the caller does, by `commit()` (push to talk)."""
else:
    TurnDetection = _Vad | Literal["server_vad", "semantic_vad", "none"]


class InputTranscription(TypedDict, total=False):
    """How what the user says is written down. model: of the transcription, where it is a model of its own."""

    model: str
    language: str
    prompt: str


class RealtimeParams(TypedDict, total=False):
    """The arguments of `realtime.connect` beside `model`.

    instructions:         what the model is told at first
    voice:                the voice's name
    output_modalities:    ["audio"] (the default; its words come as transcripts) or ["text"]
    input_audio_format, output_audio_format:  "pcm16" unless told otherwise
    input_rate, output_rate:  samples a second of the caller's own audio; other than the provider's they are converted,
                          which needs `pip install "onellm[voice]"`
    input_transcription:  True, False, or how: whether what the user says is written down. True unless told otherwise
    turn_detection:       see `TurnDetection`
    noise_reduction:      "near_field" (a headset), "far_field" (a room)
    tools:                functions, which are then called by themselves, or schemas as in chat
    run_tools:            False hands calls of functions to the caller too
    messages:             the conversation so far, as in chat
    speed:                of the voice, 1.0 is usual
    language:             of the voice, such as "de-DE"
    transcribe_only:      the session writes down what it hears and answers nothing
    resume:               the handle of `SessionResumable`
    google:               what only Gemini's sessions take
    session:              fields of the provider's own session object, as they are; they win
    """

    instructions: str | None
    voice: str | None
    output_modalities: Sequence[Modality] | None
    input_audio_format: AudioFormat | None
    output_audio_format: AudioFormat | None
    input_rate: int | None
    output_rate: int | None
    input_transcription: bool | InputTranscription | None
    turn_detection: TurnDetection | None
    noise_reduction: Literal["near_field", "far_field"] | None
    tools: Iterable[AnyTool] | None
    tool_choice: Literal["auto", "none", "required"] | None
    run_tools: bool | None
    messages: Iterable[MessageParam] | None
    max_output_tokens: int | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    reasoning_effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None
    speed: float | None
    language: str | None
    transcribe_only: bool | None
    resume: str | None
    google: GoogleOptions | None
    session: Mapping[str, Any] | None
    extra_headers: Mapping[str, str | None] | None
    extra_query: Mapping[str, str | int | float | bool] | None
    timeout: float | Timeouts | None
    on_unsupported: OnUnsupported | None


class RealtimeRequest(Request, kw_only=True, gc=False):
    """A session that was asked for. params: what was given, checked; `messages` are plain dicts, tools too."""

    params: dict[str, Any] = field(default_factory=dict[str, Any])


class RealtimeToken(Answer, kw_only=True, gc=False):
    """A token that a browser or another client may hold in place of a key; its `repr` does not show it.

    value:       the token
    expires_at:  Unix time after which no session can be begun with it
    """

    value: str = ""
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"RealtimeToken(value='***', expires_at={self.expires_at!r}, provider={self.provider!r})"


class Reconnect(Struct, frozen=True, kw_only=True):
    """What becomes of a session whose connection is lost: a new one, by the provider's handle or with the turns so far.

    attempts:    in a row, before the session ends
    first_wait:  seconds before the second attempt; each further wait is twice as long
    max_wait:    the longest wait, in seconds
    """

    attempts: int = 3
    first_wait: float = 0.5
    max_wait: float = 10.0


# --- what the session's methods say to a codec ------------------------------------------------------------------


class AppendAudio(Struct, frozen=True, gc=False):
    """Sound that was just heard, in the session's input format and at the provider's rate."""

    audio: bytes


class CommitAudio(Struct, frozen=True, gc=False):
    """The user's turn is over."""

    respond: bool = True


class ClearAudio(Struct, frozen=True, gc=False):
    """Forget what was sent since the last turn."""


class CreateMessage(Struct, frozen=True, gc=False):
    """A message in text, images or sound. content: parts as in chat (`text`, `image_url`, `input_audio`)."""

    role: Literal["user", "assistant", "system"]
    content: tuple[Mapping[str, Any], ...]
    respond: bool = True


class SendToolResult(Struct, frozen=True, gc=False):
    """What a tool gave. output: text, or JSON as text."""

    call_id: str
    output: str
    respond: bool = True


class CreateResponse(Struct, frozen=True, gc=False):
    """Answer now. options: those of OpenAI's `response.create`, beside the session's own."""

    options: Mapping[str, Any] = {}


class CancelResponse(Struct, frozen=True, gc=False):
    """Stop answering: nothing more of the response comes out, even if the provider sends it."""

    response_id: str | None = None


class TruncateAudio(Struct, frozen=True, gc=False):
    """The user heard this much of what was said, in milliseconds; the rest was never said."""

    item_id: str
    played_ms: int


class UpdateSession(Struct, frozen=True, gc=False):
    """Other settings from now on; params as `connect` takes them."""

    params: Mapping[str, Any]


class SendRaw(Struct, frozen=True, gc=False):
    """A frame of the provider's own."""

    event: Mapping[str, Any]


RealtimeCommand: TypeAlias = (
    AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateMessage
    | SendToolResult
    | CreateResponse
    | CancelResponse
    | TruncateAudio
    | UpdateSession
    | SendRaw
)
