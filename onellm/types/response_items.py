"""What a response is made of: items, and the parts of messages.

Items are read-only: what was received goes back byte for byte when the item is put into the input of a later call.
Names and fields are OpenAI's; a field that is not named here still stands in `raw` and `to_dict()`.
https://platform.openai.com/docs/api-reference/responses/object#responses/object-output
"""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
from msgspec import Raw, Struct, field, structs

from onellm.types.base import Model, extend
from onellm.types.chat import TokenLogprob

if TYPE_CHECKING:
    ItemStatus = Literal["in_progress", "completed", "incomplete", "searching", "failed", "interpreting", "generating"]
    # What no provider sends: comparing `type` narrows an item to one of the others.
    Unknown = Literal["(unknown)"]
else:
    ItemStatus = str
    Unknown = str


class Annotation(Model, kw_only=True, gc=False):
    """A remark on a text, of the kind that `type` says; the indexes count characters of the text."""

    type: str = ""
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_id: str | None = None
    filename: str | None = None
    container_id: str | None = None
    index: int | None = None


class ContentPart(Model, kw_only=True, gc=False):
    """A piece of content: `text` or `refusal`, or what was given as input, as `type` says."""

    type: str = ""
    text: str = ""
    annotations: list[Annotation] | None = None
    logprobs: list[TokenLogprob] | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None


class ResponseItem(Struct, frozen=True, kw_only=True, gc=False, repr_omit_defaults=True):
    """What all items have. `source` is the JSON that the item was received as, where it was received."""

    id: str | None = None
    source: Raw = field(default=Raw(), name="onellm.source")

    @property
    def raw(self) -> bytes:
        """The item as received; empty for one that the caller made."""
        return bytes(self.source)

    @property
    def model_extra(self) -> dict[str, Any]:
        """The fields that were received and have no name here, decoded when asked for."""
        named = self.__struct_encode_fields__
        return {name: value for name, value in self.to_dict().items() if name not in named}

    def to_dict(self) -> dict[str, Any]:
        """What was received, unknown fields included; of an item that the caller made, the fields that are set."""
        received: Any = msgspec.json.decode(self.source) if self.raw else None
        return received if isinstance(received, dict) else self._fields(keep_none=False)  # pyright: ignore[reportUnknownVariableType] - JSON

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """Every field as it is here, and the unknown ones that were received."""
        dumped: dict[str, Any] = extend(
            self._fields(keep_none=not exclude_none), self.to_dict(), keep_none=not exclude_none
        )
        return dumped

    def model_dump_json(self, *, indent: int | None = None, exclude_none: bool = False) -> str:
        """The item as JSON text."""
        text = msgspec.json.encode(self.model_dump(exclude_none=exclude_none))
        return (msgspec.json.format(text, indent=indent) if indent is not None else text).decode()

    def __repr__(self) -> str:
        shown = ((each.name, getattr(self, each.name), each.default) for each in structs.fields(self))
        fields = (f"{name}={value!r}" for name, value, usual in shown if name != "source" and value != usual)
        return f"{type(self).__name__}({', '.join(fields)})"

    def _fields(self, *, keep_none: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name != "source" and (keep_none or value is not None):
                found[name] = _plain(value, keep_none=keep_none)
        return found


def _plain(value: Any, *, keep_none: bool) -> Any:
    if isinstance(value, Model):
        return value.model_dump(exclude_none=not keep_none)
    if isinstance(value, list):
        return [_plain(each, keep_none=keep_none) for each in value]  # pyright: ignore[reportUnknownVariableType] - of items
    return value


class ResponseOutputMessage(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A message: the model's, or in a list of input items anybody's."""

    type: Literal["message"] = "message"
    role: str = "assistant"
    content: list[ContentPart] = field(default_factory=list[ContentPart])
    status: ItemStatus | None = None
    phase: str | None = None


class ResponseReasoningItem(ResponseItem, frozen=True, kw_only=True, gc=False):
    """The model's thinking: summarised, in full, or as a text that only its provider can read."""

    type: Literal["reasoning"] = "reasoning"
    summary: list[ContentPart] = field(default_factory=list[ContentPart])
    content: list[ContentPart] | None = None
    encrypted_content: str | None = None
    status: ItemStatus | None = None


class ResponseFunctionToolCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A called function; `arguments` is JSON text as the model wrote it, which may be invalid. Answer `call_id`."""

    type: Literal["function_call"] = "function_call"
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    namespace: str | None = None
    caller: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseFunctionToolCallOutputItem(ResponseItem, frozen=True, kw_only=True, gc=False):
    """What a function answered."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: str = ""
    output: str | list[ContentPart] = ""
    status: ItemStatus | None = None


class ResponseCustomToolCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A called custom tool; `input` is free text."""

    type: Literal["custom_tool_call"] = "custom_tool_call"
    call_id: str = ""
    name: str = ""
    input: str = ""
    namespace: str | None = None
    caller: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseCustomToolCallOutputItem(ResponseItem, frozen=True, kw_only=True, gc=False):
    """What a custom tool answered."""

    type: Literal["custom_tool_call_output"] = "custom_tool_call_output"
    call_id: str = ""
    output: str | list[ContentPart] = ""
    status: ItemStatus | None = None


class ResponseFunctionWebSearch(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A search of the web that the provider made; `action` says of what kind."""

    type: Literal["web_search_call"] = "web_search_call"
    action: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseFileSearchToolCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A search of files that the provider keeps."""

    type: Literal["file_search_call"] = "file_search_call"
    queries: list[str] = field(default_factory=list[str])
    results: list[dict[str, Any]] | None = None
    status: ItemStatus | None = None


class ResponseCodeInterpreterToolCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """Code that the provider ran."""

    type: Literal["code_interpreter_call"] = "code_interpreter_call"
    code: str | None = None
    container_id: str | None = None
    outputs: list[dict[str, Any]] | None = None
    status: ItemStatus | None = None


class ImageGenerationCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """An image that the provider made; `result` is its base64."""

    type: Literal["image_generation_call"] = "image_generation_call"
    result: str | None = None
    revised_prompt: str | None = None
    size: str | None = None
    quality: str | None = None
    background: str | None = None
    output_format: str | None = None
    action: str | None = None
    error: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseComputerToolCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """What the model wants done with a computer; answer `call_id`."""

    type: Literal["computer_call"] = "computer_call"
    call_id: str = ""
    action: dict[str, Any] | None = None
    actions: list[dict[str, Any]] | None = None
    pending_safety_checks: list[dict[str, Any]] | None = None
    status: ItemStatus | None = None


class ResponseComputerToolCallOutputItem(ResponseItem, frozen=True, kw_only=True, gc=False):
    """What the computer then showed."""

    type: Literal["computer_call_output"] = "computer_call_output"
    call_id: str = ""
    output: dict[str, Any] | None = None
    acknowledged_safety_checks: list[dict[str, Any]] | None = None
    status: ItemStatus | None = None


class McpCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A tool of an MCP server that the provider called."""

    type: Literal["mcp_call"] = "mcp_call"
    name: str = ""
    server_label: str = ""
    arguments: str = ""
    output: str | None = None
    error: Any = None
    approval_request_id: str | None = None
    status: ItemStatus | None = None


class McpListTools(ResponseItem, frozen=True, kw_only=True, gc=False):
    """The tools of an MCP server."""

    type: Literal["mcp_list_tools"] = "mcp_list_tools"
    server_label: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    error: Any = None


class McpApprovalRequest(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A call to an MCP server that waits for a person's yes."""

    type: Literal["mcp_approval_request"] = "mcp_approval_request"
    name: str = ""
    server_label: str = ""
    arguments: str = ""


class McpApprovalResponse(ResponseItem, frozen=True, kw_only=True, gc=False):
    """The yes or no."""

    type: Literal["mcp_approval_response"] = "mcp_approval_response"
    approval_request_id: str = ""
    approve: bool = False
    reason: str | None = None


class LocalShellCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A command to be run here; answer `call_id`."""

    type: Literal["local_shell_call"] = "local_shell_call"
    call_id: str = ""
    action: dict[str, Any] | None = None
    status: ItemStatus | None = None


class LocalShellCallOutput(ResponseItem, frozen=True, kw_only=True, gc=False):
    """What the command printed."""

    type: Literal["local_shell_call_output"] = "local_shell_call_output"
    output: str = ""
    status: ItemStatus | None = None


class ResponseFunctionShellToolCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """Commands to be run in a shell, here or in a container of the provider's."""

    type: Literal["shell_call"] = "shell_call"
    call_id: str = ""
    action: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None
    caller: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseFunctionShellToolCallOutput(ResponseItem, frozen=True, kw_only=True, gc=False):
    """What the commands printed."""

    type: Literal["shell_call_output"] = "shell_call_output"
    call_id: str = ""
    output: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    max_output_length: int | None = None
    caller: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseApplyPatchToolCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A change of a file; answer `call_id`."""

    type: Literal["apply_patch_call"] = "apply_patch_call"
    call_id: str = ""
    operation: dict[str, Any] | None = None
    caller: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseApplyPatchToolCallOutput(ResponseItem, frozen=True, kw_only=True, gc=False):
    """Whether the change was made."""

    type: Literal["apply_patch_call_output"] = "apply_patch_call_output"
    call_id: str = ""
    output: str | None = None
    caller: dict[str, Any] | None = None
    status: ItemStatus | None = None


class ResponseToolSearchCall(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A search for tools."""

    type: Literal["tool_search_call"] = "tool_search_call"
    call_id: str | None = None
    arguments: Any = None
    execution: str | None = None
    status: ItemStatus | None = None


class ResponseToolSearchOutputItem(ResponseItem, frozen=True, kw_only=True, gc=False):
    """The tools that were found."""

    type: Literal["tool_search_output"] = "tool_search_output"
    call_id: str | None = None
    execution: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    status: ItemStatus | None = None


class AdditionalTools(ResponseItem, frozen=True, kw_only=True, gc=False):
    """Tools that were added on the way."""

    type: Literal["additional_tools"] = "additional_tools"
    role: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Program(ResponseItem, frozen=True, kw_only=True, gc=False):
    """A program that calls tools."""

    type: Literal["program"] = "program"
    call_id: str = ""
    code: str = ""
    fingerprint: str | None = None


class ProgramOutput(ResponseItem, frozen=True, kw_only=True, gc=False):
    """What the program gave."""

    type: Literal["program_output"] = "program_output"
    call_id: str = ""
    result: str = ""
    status: ItemStatus | None = None


class ResponseCompactionItem(ResponseItem, frozen=True, kw_only=True, gc=False):
    """An earlier conversation, made short; only its provider can read it."""

    type: Literal["compaction"] = "compaction"
    encrypted_content: str = ""


class ResponseUnknownItem(ResponseItem, frozen=True, kw_only=True, gc=False):
    """An item of a type that is not known here: `type`, and the rest in `to_dict()`."""

    type: Unknown = "(unknown)"


ResponseOutputItem: TypeAlias = (
    ResponseOutputMessage
    | ResponseReasoningItem
    | ResponseFunctionToolCall
    | ResponseFunctionToolCallOutputItem
    | ResponseCustomToolCall
    | ResponseCustomToolCallOutputItem
    | ResponseFunctionWebSearch
    | ResponseFileSearchToolCall
    | ResponseCodeInterpreterToolCall
    | ImageGenerationCall
    | ResponseComputerToolCall
    | ResponseComputerToolCallOutputItem
    | McpCall
    | McpListTools
    | McpApprovalRequest
    | McpApprovalResponse
    | LocalShellCall
    | LocalShellCallOutput
    | ResponseFunctionShellToolCall
    | ResponseFunctionShellToolCallOutput
    | ResponseApplyPatchToolCall
    | ResponseApplyPatchToolCallOutput
    | ResponseToolSearchCall
    | ResponseToolSearchOutputItem
    | AdditionalTools
    | Program
    | ProgramOutput
    | ResponseCompactionItem
    | ResponseUnknownItem
)

ITEMS: dict[str, type[ResponseItem]] = {
    cls().type: cls for cls in ResponseOutputItem.__args__ if cls is not ResponseUnknownItem
}
"""The class of each `type`."""
