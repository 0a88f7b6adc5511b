"""Audio: what callers say, and what they get. https://platform.openai.com/docs/api-reference/audio"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Required, TypeAlias

from msgspec import Meta, field
from typing_extensions import TypedDict

from onellm.types.base import Answer, Model
from onellm.types.files import InputFile
from onellm.types.options import ModelOptions
from onellm.types.request import Request

TranscriptionFormat: TypeAlias = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
TextFormat: TypeAlias = Literal["text", "srt", "vtt"]
TranslationFormat: TypeAlias = Literal["json", "text", "srt", "verbose_json", "vtt"]

TEXT_FORMATS = frozenset({"text", "srt", "vtt"})
"""Formats whose answer is plain text."""


class ServerVad(TypedDict, total=False):
    """Cut the audio where nobody speaks; times in milliseconds, threshold from 0 to 1."""

    type: Required[Literal["server_vad"]]
    prefix_padding_ms: int
    silence_duration_ms: int
    threshold: float


class TranscriptionParams(ModelOptions, total=False):
    """Everything `transcriptions.create` takes beside file, model, response_format and stream.

    None is the same as leaving out.
    """

    chunking_strategy: Literal["auto"] | ServerVad | None
    include: Sequence[Literal["logprobs"]] | None
    keywords: Sequence[str] | None
    known_speaker_names: Sequence[str] | None
    known_speaker_references: Sequence[str] | None
    language: str | None
    languages: Sequence[str] | None
    prompt: str | None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None
    timestamp_granularities: Sequence[Literal["word", "segment"]] | None


class TranslationParams(ModelOptions, total=False):
    """Everything `translations.create` takes beside file, model and response_format."""

    prompt: str | None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None


class VoiceId(TypedDict):
    """A voice of one's own."""

    id: str


class SpeechParams(ModelOptions, total=False):
    """Everything `speech.create` takes beside model, input, voice and stream_format.

    response_format:  mp3, opus, aac, flac, wav, pcm at OpenAI; other hosts have others
    speed:            1.0 is as spoken
    """

    instructions: str | None
    response_format: str | None
    speed: Annotated[float, Meta(ge=0.25, le=4)] | None


class InputTokenDetails(Model, kw_only=True, gc=False):
    """What the billed input tokens stand for."""

    audio_tokens: int | None = None
    text_tokens: int | None = None


class TranscriptionUsage(Model, kw_only=True, gc=False):
    """What is billed: `type` "tokens" counts tokens, "duration" counts `seconds` of audio."""

    type: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_token_details: InputTokenDetails | None = None
    seconds: float | None = None


class TranscriptionLogprob(Model, kw_only=True, gc=False):
    """The log probability of one token of the text."""

    token: str | None = None
    bytes: list[int] | None = None
    logprob: float | None = None


class TranscriptionLanguage(Model, kw_only=True, gc=False):
    """A language that was heard, by its code."""

    code: str = ""


class TranscriptionSegment(Model, kw_only=True, gc=False):
    """A stretch of the audio; start and end in seconds."""

    id: int | str = 0
    seek: int = 0
    start: float = 0.0
    end: float = 0.0
    text: str = ""
    tokens: list[int] | None = None
    temperature: float | None = None
    avg_logprob: float | None = None
    compression_ratio: float | None = None
    no_speech_prob: float | None = None
    speaker: str | None = None


class TranscriptionWord(Model, kw_only=True, gc=False):
    """A word; start and end in seconds."""

    word: str = ""
    start: float = 0.0
    end: float = 0.0


class TranscriptionDiarizedSegment(Model, kw_only=True, gc=False):
    """What one speaker said; start and end in seconds."""

    id: str = ""
    type: str = "transcript.text.segment"
    start: float = 0.0
    end: float = 0.0
    speaker: str = ""
    text: str = ""


class Transcription(Answer, kw_only=True, gc=False):
    """What was said."""

    text: str = ""
    languages: list[TranscriptionLanguage] | None = None
    logprobs: list[TranscriptionLogprob] | None = None
    usage: TranscriptionUsage | None = None


class TranscriptionVerbose(Answer, kw_only=True, gc=False):
    """What was said, and when; duration in seconds."""

    text: str = ""
    task: str | None = None
    language: str = ""
    duration: float = 0.0
    segments: list[TranscriptionSegment] | None = None
    words: list[TranscriptionWord] | None = None
    usage: TranscriptionUsage | None = None


class TranscriptionDiarized(Answer, kw_only=True, gc=False):
    """What was said, and by whom; duration in seconds."""

    text: str = ""
    task: str = "transcribe"
    duration: float = 0.0
    segments: list[TranscriptionDiarizedSegment] = field(default_factory=list[TranscriptionDiarizedSegment])
    usage: TranscriptionUsage | None = None


AnyTranscription: TypeAlias = Transcription | TranscriptionVerbose | TranscriptionDiarized


class TranscriptionTextDeltaEvent(Answer, kw_only=True, gc=False):
    """A further piece of the text."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str = ""
    logprobs: list[TranscriptionLogprob] | None = None
    segment_id: str | None = None


class TranscriptionTextSegmentEvent(Answer, kw_only=True, gc=False):
    """A whole segment, with its speaker where speakers are told apart; start and end in seconds."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str = ""
    start: float = 0.0
    end: float = 0.0
    speaker: str = ""
    text: str = ""


class TranscriptionTextDoneEvent(Answer, kw_only=True, gc=False):
    """The last event: the whole text."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str = ""
    languages: list[TranscriptionLanguage] | None = None
    logprobs: list[TranscriptionLogprob] | None = None
    usage: TranscriptionUsage | None = None


TranscriptionStreamEvent: TypeAlias = (
    TranscriptionTextDeltaEvent | TranscriptionTextSegmentEvent | TranscriptionTextDoneEvent
)


class Translation(Answer, kw_only=True, gc=False):
    """What was said, in English."""

    text: str = ""


class TranslationVerbose(Answer, kw_only=True, gc=False):
    """What was said, in English, and when; duration in seconds."""

    text: str = ""
    task: str | None = None
    language: str = ""
    duration: float = 0.0
    segments: list[TranscriptionSegment] | None = None


AnyTranslation: TypeAlias = Translation | TranslationVerbose


class SpeechUsage(Model, kw_only=True, gc=False):
    """Tokens billed."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None


class SpeechAudioDeltaEvent(Answer, kw_only=True, gc=False):
    """A further piece of the audio, as bytes: what comes is base64."""

    type: Literal["speech.audio.delta"] = "speech.audio.delta"
    audio: bytes = b""


class SpeechAudioDoneEvent(Answer, kw_only=True, gc=False):
    """The last event."""

    type: Literal["speech.audio.done"] = "speech.audio.done"
    usage: SpeechUsage | None = None


SpeechStreamEvent: TypeAlias = SpeechAudioDeltaEvent | SpeechAudioDoneEvent


class TranscriptionRequest(Request, kw_only=True):
    """A validated transcription or translation.

    format:  the form of the answer; None is "json"
    params:  the other arguments of `create`, None left out, options of the call not among them
    """

    file: InputFile
    format: TranscriptionFormat | None = None
    params: dict[str, Any]


class SpeechRequest(Request, kw_only=True):
    """A validated call for speech."""

    input: str
    voice: str | Mapping[str, Any] | None
    params: dict[str, Any]
