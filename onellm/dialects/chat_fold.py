"""Chunks added up to the message they are of: what every streamed chat has in common, whatever its dialect."""

from typing import Any

from onellm.dialects.tool_calls import ToolCallAssembler
from onellm.types.chat import (
    ChatCompletionAudio,
    ChatCompletionMessage,
    Choice,
    ChoiceDelta,
    ChoiceLogprobs,
    ChunkChoice,
    Citation,
    FinishReason,
    FunctionCall,
    OutputImage,
    ProviderData,
    Role,
)


class ChoiceFold:
    """What the chunks of one choice have added up to. Pieces are joined once, at the end."""

    __slots__ = (
        "annotations",
        "audio",
        "audio_data",
        "audio_transcript",
        "blank_finish",
        "citations",
        "content",
        "details",
        "filtered",
        "finish",
        "finish_raw",
        "function_name",
        "function_pieces",
        "images",
        "logprobs",
        "provider_data",
        "reasoning",
        "reasoning_content",
        "refusal",
        "role",
        "tools",
    )

    def __init__(self) -> None:
        self.role: Role = "assistant"
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.reasoning_content: list[str] = []
        self.details: list[dict[str, Any]] = []
        self.tools: ToolCallAssembler | None = None
        self.function_name: str | None = None
        self.function_pieces: list[str] = []
        self.annotations: list[Any] = []
        self.citations: list[Citation] = []
        self.images: list[OutputImage] = []
        self.provider_data: ProviderData | None = None  # what goes back with the message; set by who knows it
        self.audio: ChatCompletionAudio | None = None
        self.audio_data: list[str] = []
        self.audio_transcript: list[str] = []
        self.logprobs: ChoiceLogprobs | None = None
        self.filtered: dict[str, Any] | None = None  # what filters found, the worst of each category
        self.finish: FinishReason | None = None
        self.finish_raw: str | None = None
        self.blank_finish = False  # the last finish_reason was "", which some hosts say where tool calls end a turn

    def add(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        if choice.finish_reason is not None:
            self.finish, self.finish_raw = choice.finish_reason, choice.finish_reason_raw
        if delta.content is not None:
            self.content.append(delta.content)
        if delta.reasoning:
            self.reasoning.append(delta.reasoning)
        if delta.tool_calls is not None:
            self.tools = self.tools or ToolCallAssembler()
            for call in delta.tool_calls:
                self.tools.add(call)
        if choice.logprobs is not None:
            self._add_logprobs(choice.logprobs)
        if choice.content_filter_results is not None:
            self.filtered = worst(self.filtered or {}, choice.content_filter_results)
        if (
            delta.role
            or delta.refusal
            or delta.reasoning_content
            or delta.reasoning_details
            or delta.annotations
            or delta.citations
            or delta.images
            or delta.audio
            or delta.function_call
        ):
            self._add_rare(delta)

    def _add_rare(self, delta: ChoiceDelta) -> None:
        if delta.role:
            self.role = delta.role
        if delta.refusal:
            self.refusal.append(delta.refusal)
        if delta.reasoning_content:
            self.reasoning_content.append(delta.reasoning_content)
        if delta.reasoning_details:
            self.details.extend(delta.reasoning_details)
        if delta.annotations:
            self.annotations.extend(delta.annotations)
        if delta.citations:
            self.citations.extend(delta.citations)
        if delta.images:
            self.images.extend(delta.images)
        if delta.function_call is not None:
            self.function_name = self.function_name or delta.function_call.name
            self.function_pieces.append(delta.function_call.arguments or "")
        if delta.audio is not None:
            self.audio = audio = self.audio or ChatCompletionAudio()
            audio.id = audio.id or delta.audio.id or ""
            self.audio_data.append(delta.audio.data or "")
            self.audio_transcript.append(delta.audio.transcript or "")
            audio.expires_at = delta.audio.expires_at or audio.expires_at

    def _add_logprobs(self, logprobs: ChoiceLogprobs) -> None:
        if self.logprobs is None:
            self.logprobs = ChoiceLogprobs()
        if logprobs.content is not None:
            self.logprobs.content = self.logprobs.content or []
            self.logprobs.content.extend(logprobs.content)
        if logprobs.refusal is not None:
            self.logprobs.refusal = self.logprobs.refusal or []
            self.logprobs.refusal.extend(logprobs.refusal)

    def whole(self, index: int) -> Choice:
        called = self.function_name is not None
        if self.finish is None and self.blank_finish and self.tools is not None:
            self.finish = "tool_calls"
        if self.audio is not None:
            self.audio.data = "".join(self.audio_data)
            self.audio.transcript = "".join(self.audio_transcript)
        message = ChatCompletionMessage(
            role=self.role,
            content="".join(self.content) if self.content else None,
            refusal="".join(self.refusal) or None,
            reasoning="".join(self.reasoning) or None,
            reasoning_content="".join(self.reasoning_content) or None,
            reasoning_details=self.details or None,
            tool_calls=self.tools.calls() if self.tools else None,
            function_call=FunctionCall(name=self.function_name or "", arguments="".join(self.function_pieces))
            if called
            else None,
            annotations=self.annotations or None,
            audio=self.audio,
            citations=self.citations or None,
            images=self.images or None,
            provider_data=self.provider_data,
        )
        return Choice(
            index=index,
            message=message,
            finish_reason=self.finish,
            finish_reason_raw=self.finish_raw,
            logprobs=self.logprobs,
            content_filter_results=self.filtered,
        )


_SEVERITIES = ("safe", "low", "medium", "high")


def worst(known: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Of each category, the worse of what was said of two parts of a text; the later one where neither is."""
    for category, said in found.items():
        if category not in known or _badness(said) >= _badness(known[category]):
            known[category] = said
    return known


def _badness(said: Any) -> tuple[bool, bool, int]:
    match said:
        case {"severity": str() as severity} if severity in _SEVERITIES:
            rank = _SEVERITIES.index(severity)
        case _:
            rank = 0
    match said:
        case {"filtered": filtered, **rest}:
            return bool(filtered), bool(rest.get("detected")), rank
        case _:
            return False, False, rank
