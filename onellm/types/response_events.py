"""The events of a streamed response, one class a `type`, named as in `openai`'s client.

Each has `type`, `sequence_number`, and `raw`, the event's JSON as received. An event of a type that is not known here
is a `ResponseUnknownEvent`. `error` is none of them: it is raised.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Raw, field

from onellm.types.base import Answer
from onellm.types.chat import TokenLogprob
from onellm.types.response_items import Annotation, ContentPart, Unknown
from onellm.types.responses import Response, received

if TYPE_CHECKING:
    from onellm.types.response_items import ResponseOutputItem as Item

    Whole = Response
else:  # decoded by their own types
    Item = Raw
    Whole = Raw


class ResponseEvent(Answer, kw_only=True, gc=False):
    """sequence_number: the event's place in the stream, where the provider counts; asked for by `starting_after`."""

    sequence_number: int = 0

    def to_dict(self) -> dict[str, Any]:
        """What was received, unknown fields included."""
        return received(self.raw) or super().to_dict()


class ResponseEventWithResponse(ResponseEvent, kw_only=True, gc=False):
    response: Whole = Raw(b"{}")  # type: ignore[assignment] # replaced before anybody sees it


class ResponseEventWithItem(ResponseEvent, kw_only=True, gc=False):
    item: Item = Raw(b"{}")  # type: ignore[assignment] # replaced before anybody sees it
    output_index: int = 0


class _OfItem(ResponseEvent, kw_only=True, gc=False):
    item_id: str = ""
    output_index: int = 0


class _OfPart(_OfItem, kw_only=True, gc=False):
    content_index: int = 0


class _OfSummary(_OfItem, kw_only=True, gc=False):
    summary_index: int = 0


class ResponseUnknownEvent(ResponseEvent, kw_only=True, gc=False):
    """An event of a type that is not known here: `type`, and the rest in `to_dict()`."""

    type: Unknown = "(unknown)"


class ResponseAudioDeltaEvent(ResponseEvent, kw_only=True, gc=False):
    type: Literal["response.audio.delta"] = "response.audio.delta"
    delta: str = ""


class ResponseAudioDoneEvent(ResponseEvent, kw_only=True, gc=False):
    type: Literal["response.audio.done"] = "response.audio.done"


class ResponseAudioTranscriptDeltaEvent(ResponseEvent, kw_only=True, gc=False):
    type: Literal["response.audio.transcript.delta"] = "response.audio.transcript.delta"
    delta: str = ""


class ResponseAudioTranscriptDoneEvent(ResponseEvent, kw_only=True, gc=False):
    type: Literal["response.audio.transcript.done"] = "response.audio.transcript.done"


class ResponseCodeInterpreterCallCodeDeltaEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.code_interpreter_call_code.delta"] = "response.code_interpreter_call_code.delta"
    delta: str = ""


class ResponseCodeInterpreterCallCodeDoneEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.code_interpreter_call_code.done"] = "response.code_interpreter_call_code.done"
    code: str = ""


class ResponseCodeInterpreterCallCompletedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.code_interpreter_call.completed"] = "response.code_interpreter_call.completed"


class ResponseCodeInterpreterCallInProgressEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.code_interpreter_call.in_progress"] = "response.code_interpreter_call.in_progress"


class ResponseCodeInterpreterCallInterpretingEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.code_interpreter_call.interpreting"] = "response.code_interpreter_call.interpreting"


class ResponseCompactionCompactingEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.compaction.compacting"] = "response.compaction.compacting"


class ResponseCompletedEvent(ResponseEventWithResponse, kw_only=True, gc=False):
    type: Literal["response.completed"] = "response.completed"


class ResponseContentPartAddedEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.content_part.added"] = "response.content_part.added"
    part: ContentPart = field(default_factory=ContentPart)


class ResponseContentPartDoneEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.content_part.done"] = "response.content_part.done"
    part: ContentPart = field(default_factory=ContentPart)


class ResponseCreatedEvent(ResponseEventWithResponse, kw_only=True, gc=False):
    type: Literal["response.created"] = "response.created"


class ResponseFileSearchCallCompletedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.file_search_call.completed"] = "response.file_search_call.completed"


class ResponseFileSearchCallInProgressEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.file_search_call.in_progress"] = "response.file_search_call.in_progress"


class ResponseFileSearchCallSearchingEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.file_search_call.searching"] = "response.file_search_call.searching"


class ResponseFunctionCallArgumentsDeltaEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    delta: str = ""


class ResponseFunctionCallArgumentsDoneEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    arguments: str = ""


class ResponseShellCallCommandAddedEvent(ResponseEvent, kw_only=True, gc=False):
    type: Literal["response.shell_call_command.added"] = "response.shell_call_command.added"
    command: str = ""
    command_index: int = 0
    output_index: int = 0


class ResponseShellCallCommandDeltaEvent(ResponseEvent, kw_only=True, gc=False):
    type: Literal["response.shell_call_command.delta"] = "response.shell_call_command.delta"
    command_index: int = 0
    delta: str = ""
    output_index: int = 0
    obfuscation: str | None = None


class ResponseShellCallCommandDoneEvent(ResponseEvent, kw_only=True, gc=False):
    type: Literal["response.shell_call_command.done"] = "response.shell_call_command.done"
    command: str = ""
    command_index: int = 0
    output_index: int = 0


class ResponseShellCallOutputContentDeltaEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.shell_call_output_content.delta"] = "response.shell_call_output_content.delta"
    command_index: int = 0
    delta: dict[str, Any] | None = None


class ResponseShellCallOutputContentDoneEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.shell_call_output_content.done"] = "response.shell_call_output_content.done"
    command_index: int = 0
    output: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class ResponseInProgressEvent(ResponseEventWithResponse, kw_only=True, gc=False):
    type: Literal["response.in_progress"] = "response.in_progress"


class ResponseFailedEvent(ResponseEventWithResponse, kw_only=True, gc=False):
    type: Literal["response.failed"] = "response.failed"


class ResponseIncompleteEvent(ResponseEventWithResponse, kw_only=True, gc=False):
    type: Literal["response.incomplete"] = "response.incomplete"


class ResponseOutputItemAddedEvent(ResponseEventWithItem, kw_only=True, gc=False):
    type: Literal["response.output_item.added"] = "response.output_item.added"


class ResponseOutputItemDoneEvent(ResponseEventWithItem, kw_only=True, gc=False):
    type: Literal["response.output_item.done"] = "response.output_item.done"


class ResponseReasoningSummaryPartAddedEvent(_OfSummary, kw_only=True, gc=False):
    type: Literal["response.reasoning_summary_part.added"] = "response.reasoning_summary_part.added"
    part: ContentPart = field(default_factory=ContentPart)


class ResponseReasoningSummaryPartDoneEvent(_OfSummary, kw_only=True, gc=False):
    type: Literal["response.reasoning_summary_part.done"] = "response.reasoning_summary_part.done"
    part: ContentPart = field(default_factory=ContentPart)
    status: str | None = None


class ResponseReasoningSummaryTextDeltaEvent(_OfSummary, kw_only=True, gc=False):
    type: Literal["response.reasoning_summary_text.delta"] = "response.reasoning_summary_text.delta"
    delta: str = ""


class ResponseReasoningSummaryTextDoneEvent(_OfSummary, kw_only=True, gc=False):
    type: Literal["response.reasoning_summary_text.done"] = "response.reasoning_summary_text.done"
    text: str = ""


class ResponseReasoningTextDeltaEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.reasoning_text.delta"] = "response.reasoning_text.delta"
    delta: str = ""


class ResponseReasoningTextDoneEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.reasoning_text.done"] = "response.reasoning_text.done"
    text: str = ""


class ResponseRefusalDeltaEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.refusal.delta"] = "response.refusal.delta"
    delta: str = ""


class ResponseRefusalDoneEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.refusal.done"] = "response.refusal.done"
    refusal: str = ""


class ResponseTextDeltaEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    delta: str = ""
    logprobs: list[TokenLogprob] | None = None


class ResponseTextDoneEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.output_text.done"] = "response.output_text.done"
    logprobs: list[TokenLogprob] | None = None
    text: str = ""


class ResponseWebSearchCallCompletedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.web_search_call.completed"] = "response.web_search_call.completed"


class ResponseWebSearchCallInProgressEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.web_search_call.in_progress"] = "response.web_search_call.in_progress"


class ResponseWebSearchCallSearchingEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.web_search_call.searching"] = "response.web_search_call.searching"


class ResponseImageGenCallCompletedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.image_generation_call.completed"] = "response.image_generation_call.completed"


class ResponseImageGenCallGeneratingEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.image_generation_call.generating"] = "response.image_generation_call.generating"


class ResponseImageGenCallInProgressEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.image_generation_call.in_progress"] = "response.image_generation_call.in_progress"


class ResponseImageGenCallPartialImageEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.image_generation_call.partial_image"] = "response.image_generation_call.partial_image"
    partial_image_b64: str = ""
    partial_image_index: int = 0
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None


class ResponseMcpCallArgumentsDeltaEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_call_arguments.delta"] = "response.mcp_call_arguments.delta"
    delta: str = ""


class ResponseMcpCallArgumentsDoneEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_call_arguments.done"] = "response.mcp_call_arguments.done"
    arguments: str = ""


class ResponseMcpCallCompletedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_call.completed"] = "response.mcp_call.completed"


class ResponseMcpCallFailedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_call.failed"] = "response.mcp_call.failed"


class ResponseMcpCallInProgressEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_call.in_progress"] = "response.mcp_call.in_progress"


class ResponseMcpListToolsCompletedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_list_tools.completed"] = "response.mcp_list_tools.completed"


class ResponseMcpListToolsFailedEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_list_tools.failed"] = "response.mcp_list_tools.failed"


class ResponseMcpListToolsInProgressEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.mcp_list_tools.in_progress"] = "response.mcp_list_tools.in_progress"


class ResponseOutputTextAnnotationAddedEvent(_OfPart, kw_only=True, gc=False):
    type: Literal["response.output_text.annotation.added"] = "response.output_text.annotation.added"
    annotation: Annotation | None = None
    annotation_index: int = 0


class ResponseQueuedEvent(ResponseEventWithResponse, kw_only=True, gc=False):
    type: Literal["response.queued"] = "response.queued"


class ResponseCustomToolCallInputDeltaEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.custom_tool_call_input.delta"] = "response.custom_tool_call_input.delta"
    delta: str = ""


class ResponseCustomToolCallInputDoneEvent(_OfItem, kw_only=True, gc=False):
    type: Literal["response.custom_tool_call_input.done"] = "response.custom_tool_call_input.done"
    input: str = ""


ResponseStreamEvent: TypeAlias = (
    ResponseAudioDeltaEvent
    | ResponseAudioDoneEvent
    | ResponseAudioTranscriptDeltaEvent
    | ResponseAudioTranscriptDoneEvent
    | ResponseCodeInterpreterCallCodeDeltaEvent
    | ResponseCodeInterpreterCallCodeDoneEvent
    | ResponseCodeInterpreterCallCompletedEvent
    | ResponseCodeInterpreterCallInProgressEvent
    | ResponseCodeInterpreterCallInterpretingEvent
    | ResponseCompactionCompactingEvent
    | ResponseCompletedEvent
    | ResponseContentPartAddedEvent
    | ResponseContentPartDoneEvent
    | ResponseCreatedEvent
    | ResponseFileSearchCallCompletedEvent
    | ResponseFileSearchCallInProgressEvent
    | ResponseFileSearchCallSearchingEvent
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseFunctionCallArgumentsDoneEvent
    | ResponseShellCallCommandAddedEvent
    | ResponseShellCallCommandDeltaEvent
    | ResponseShellCallCommandDoneEvent
    | ResponseShellCallOutputContentDeltaEvent
    | ResponseShellCallOutputContentDoneEvent
    | ResponseInProgressEvent
    | ResponseFailedEvent
    | ResponseIncompleteEvent
    | ResponseOutputItemAddedEvent
    | ResponseOutputItemDoneEvent
    | ResponseReasoningSummaryPartAddedEvent
    | ResponseReasoningSummaryPartDoneEvent
    | ResponseReasoningSummaryTextDeltaEvent
    | ResponseReasoningSummaryTextDoneEvent
    | ResponseReasoningTextDeltaEvent
    | ResponseReasoningTextDoneEvent
    | ResponseRefusalDeltaEvent
    | ResponseRefusalDoneEvent
    | ResponseTextDeltaEvent
    | ResponseTextDoneEvent
    | ResponseWebSearchCallCompletedEvent
    | ResponseWebSearchCallInProgressEvent
    | ResponseWebSearchCallSearchingEvent
    | ResponseImageGenCallCompletedEvent
    | ResponseImageGenCallGeneratingEvent
    | ResponseImageGenCallInProgressEvent
    | ResponseImageGenCallPartialImageEvent
    | ResponseMcpCallArgumentsDeltaEvent
    | ResponseMcpCallArgumentsDoneEvent
    | ResponseMcpCallCompletedEvent
    | ResponseMcpCallFailedEvent
    | ResponseMcpCallInProgressEvent
    | ResponseMcpListToolsCompletedEvent
    | ResponseMcpListToolsFailedEvent
    | ResponseMcpListToolsInProgressEvent
    | ResponseOutputTextAnnotationAddedEvent
    | ResponseQueuedEvent
    | ResponseCustomToolCallInputDeltaEvent
    | ResponseCustomToolCallInputDoneEvent
    | ResponseUnknownEvent
)

EVENTS: dict[str, type[Answer]] = {
    cls().type: cls for cls in ResponseStreamEvent.__args__ if cls is not ResponseUnknownEvent
}
"""The class of each `type`."""
