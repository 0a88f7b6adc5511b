"""Options of generateContent beyond OpenAI's shape. https://ai.google.dev/api/generate-content"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

ThinkingLevel: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
MediaResolution: TypeAlias = Literal["low", "medium", "high"]


class SafetySetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is blocked: `SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")`.

    method:  whether the likelihood or the severity counts; Vertex only
    """

    category: str
    threshold: str
    method: str | None = None


class Speaker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who speaks in a dialogue: the name under which the text has them, and a voice."""

    name: str
    voice: str


class LiveOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only sessions take: `realtime.connect(..., google=GoogleOptions(live=LiveOptions(...)))`.

    context_window_compression:  how a long session is kept within the model's window, `{"slidingWindow": {}}`; without
                            it one of sound ends after 15 minutes
    proactivity:            `{"proactiveAudio": True}`: the model may keep silent
    turn_coverage:          what of the input belongs to a turn, such as "TURN_INCLUDES_ALL_INPUT"
    initial_history:        `messages` are sent as a history that calls no model; newer models take none otherwise
    realtime_text:          text is sent as input in real time and not as a turn; newer models take it so alone
    tool_behavior:          "non_blocking": the model goes on while functions run
    tool_scheduling:        when it uses what such a function gave
    token_uses:             how many sessions a token of `create_token` may begin; 0 is any number
    """

    context_window_compression: Mapping[str, Any] | None = None
    proactivity: Mapping[str, Any] | None = None
    turn_coverage: str | None = None
    initial_history: bool = False
    realtime_text: bool = False
    tool_behavior: Literal["blocking", "non_blocking"] | None = None
    tool_scheduling: Literal["interrupt", "when_idle", "silent"] | None = None
    token_uses: Annotated[int, Meta(ge=0)] = 1


class GoogleOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only generateContent takes: `create(..., google=GoogleOptions(thinking_budget=0))`.

    Thinking:
    thinking_level:      for models of generation 3 and later, in place of `reasoning_effort`
    thinking_budget:     tokens to think with, for models of generation 2.5: -1 leaves it to the model, 0 is none
    effort_as_budget:    send `reasoning_effort` as a budget, for models of generation 2.5
    include_thoughts:    whether `message.reasoning` gets summaries of the thoughts; asked for with `reasoning_effort`

    Sampling and limits:
    top_k:               sample from this many tokens only
    safety_settings:     what is blocked

    Tools:
    tools:               tools in the API's own shape, `{"googleSearch": {}}` or `{"codeExecution": {}}`, beside `tools`
    tool_config:         fields of `toolConfig`, such as `{"retrievalConfig": {...}}`

    Media:
    media_resolution:    how closely images and videos are looked at
    image_config:        of images that are made: `{"aspectRatio": "16:9", "imageSize": "2K"}`
    speech_config:       of speech, in the API's own shape; goes before `audio`
    speakers:            exactly two, for a dialogue
    language_code:       of speech, such as "en-US"

    The request:
    cached_content:      the name of a cache; system message and tools then stand in it
    labels:              for the bill; Vertex only
    continuation_token:  that of an answer whose `finish_reason_raw` is CONTINUATION
    generation_config:   further fields of `generationConfig`, as they are; they win over ours
    live:                of sessions, which take all above but `tool_config`, `image_config`, `speakers`,
                         `cached_content` and `continuation_token`
    """

    thinking_level: ThinkingLevel | None = None
    thinking_budget: Annotated[int, Meta(ge=-1)] | None = None
    effort_as_budget: bool = False
    include_thoughts: bool | None = None

    top_k: Annotated[float, Meta(ge=1)] | None = None
    safety_settings: tuple[SafetySetting, ...] = ()

    tools: tuple[Mapping[str, Any], ...] = ()
    tool_config: Mapping[str, Any] = {}

    media_resolution: MediaResolution | None = None
    image_config: Mapping[str, Any] | None = None
    speech_config: Mapping[str, Any] | None = None
    speakers: tuple[Speaker, ...] = ()
    language_code: str | None = None

    cached_content: str | None = None
    labels: Mapping[str, str] | None = None
    continuation_token: str | None = None
    generation_config: Mapping[str, Any] = {}
    live: LiveOptions | None = None
