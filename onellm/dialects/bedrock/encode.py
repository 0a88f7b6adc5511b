"""A chat call as the body of Converse.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Messages are dicts of any shape, taken apart by patterns that prove what they use.

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from onellm.dialects import prompt_cache
from onellm.dialects.bedrock.content import Block, Parts, arguments, cache_point
from onellm.dialects.lenient import encode_json
from onellm.dialects.openai.messages import short_id
from onellm.dialects.params import native_options, refuse, refuse_foreign_options, take_stream_options
from onellm.dialects.said import calls_of, text_of
from onellm.errors import InvalidRequestError
from onellm.types.bedrock import BedrockOptions
from onellm.types.chat_params import ChatRequest

FILLER = "."  # where a block must be and there is nothing to say: empty text is refused
_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_REFUSED = "Converse does not have it"
_OF_THE_MODEL = f"{_REFUSED}; what the model itself takes goes into bedrock=BedrockOptions(fields=...)"
_CACHES = "say with cache_control, or bedrock=BedrockOptions(cache_points=...), what is to be cached"
_REFUSES = {
    "functions": "give tools",
    "function_call": "give tool_choice",
    **dict.fromkeys(("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"), _CACHES),
    **dict.fromkeys(
        ("frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "seed", "top_logprobs", "verbosity"),
        _OF_THE_MODEL,
    ),
    "user": "give metadata, which stands in the logs of the call",
    "safety_identifier": "give metadata, which stands in the logs of the call",
    "web_search_options": "give bedrock=BedrockOptions(system_tools=...), where the model has a tool that searches",
}
# After these blocks no cache point may stand.
_UNMARKED = ("document", "video", "reasoningContent")


def body(request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    """The whole body; `stream` is for what only a stream has.

    Raises:
        UnsupportedParameterError, InvalidRequestError: the call says what Converse cannot.
    """
    return _Call(request).body(stream=stream)


class _Call:
    """One call on its way; arguments are taken out of `params` as they are understood."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.options = native_options(request, "bedrock", BedrockOptions)
        self.params = dict(request.params)
        self.params.pop("bedrock", None)
        self.fields: dict[str, Any] = dict(self.options.fields or {})
        self.parts = Parts(request, citations=self.options.citations)
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.called: list[str] = []  # the tools that the history calls

    def body(self, *, stream: bool) -> dict[str, Any]:
        self._history()
        self._set_cache_points()
        body: dict[str, Any] = {"messages": self.messages}
        if "messages" in self.options.cache_points:
            self.messages[-1]["content"].append(self._cache_point())
        if self.system:
            if "system" in self.options.cache_points:
                self.system.append(self._cache_point())
            body["system"] = self.system
        if inference := self._inference():
            body["inferenceConfig"] = inference
        if tools := self._tools():
            body["toolConfig"] = tools
        if output := self._output():
            body["outputConfig"] = output
        body.update(self._service(stream=stream))
        self._leave_out()
        if self.fields:
            body["additionalModelRequestFields"] = self.fields
        return body | dict(self.request.extra_body or {})

    # --- messages ---

    def _history(self) -> None:  # noqa: C901 - a role a case
        named = False
        for place, message in enumerate(self.request.messages):
            where = f"messages[{place}]"
            named = named or bool(message.get("name") and message["role"] != "function")
            match message["role"]:
                case "system" | "developer":
                    self._add_system(message, where)
                case "tool":
                    self._add("user", [self._tool_result(message, where)])
                case "assistant":
                    self._add("assistant", self._assistant(message, where))
                case "function":
                    self.request.unsupported(where, "results of functions are of an API before tools: use tools")
                case role:
                    blocks = self.parts.blocks(message["content"], where)
                    if not blocks:
                        blocks = [self._filler(where)]
                    self._add(role, blocks)
        if named:
            self.request.adjustments.append("left the names of messages out")
        for message in self.messages:
            content = message["content"]
            if any("document" in block for block in content) and not any("text" in block for block in content):
                self.request.adjustments.append(f'put the text "{FILLER}" beside a document, which must not be alone')
                content.insert(0, {"text": FILLER})
        if not self.messages:
            raise InvalidRequestError("messages: Converse needs one that is not the system's", param="messages")

    def _add(self, role: str, blocks: list[Block]) -> None:
        """Roles take turns: what the same one says next belongs to the same message."""
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _filler(self, where: str) -> Block:
        self.request.adjustments.append(f'sent {where} as "{FILLER}": empty text is refused')
        return {"text": FILLER}

    def _add_system(self, message: dict[str, Any], where: str) -> None:
        blocks = self.parts.blocks(message["content"], where)
        if not self.messages:
            self.system += blocks
        elif self.options.system_role:
            self._add("system", blocks)
        elif blocks:
            self.request.adjustments.append(f"sent {where}, a system message after others, as the user's text")
            self._add("user", blocks)

    def _assistant(self, message: dict[str, Any], where: str) -> list[Block]:
        kept = message.get("provider_data")
        reasoning: list[Block] = []
        if kept is not None and kept["provider"] == self.request.provider and "blocks" in kept["data"]:
            content: list[Block] = kept["data"]["blocks"]
            if _is_as_received(message, content):
                self.called += [block["toolUse"]["name"] for block in content if _is_call(block)]
                return list(content)
            self.request.adjustments.append(
                f"{where} was changed since it was received: its reasoning goes back, its other native blocks do not"
            )
            reasoning = [block for block in content if "reasoningContent" in block]
        blocks = reasoning + self.parts.blocks(message.get("content"), where)
        if refusal := message.get("refusal"):
            blocks.append({"text": refusal})
        for name in ("audio", "function_call"):
            if message.get(name) is not None:
                self.request.unsupported(f"{where}.{name}", _REFUSED)
        return blocks + [
            self._tool_use(call, f"{where}.tool_calls[{number}]")
            for number, call in enumerate(message.get("tool_calls") or ())
        ]

    def _tool_use(self, call: dict[str, Any], where: str) -> Block:
        if call["type"] == "custom":
            name, text = call["custom"]["name"], call["custom"]["input"]
            given: Any = {"input": text}
            self.request.adjustments.append(f"sent {where}, a custom call, as a call of a function")
        else:
            name, text = call["function"]["name"], call["function"]["arguments"]
            given = arguments(text)
            if given is None:
                given = {"arguments": text}
                self.request.adjustments.append(f"{where}: its arguments are no JSON object, and were put into one")
        self.called.append(name)
        return {"toolUse": {"toolUseId": self._tool_id(call["id"]), "name": name, "input": given}}

    def _tool_result(self, message: dict[str, Any], where: str) -> Block:
        content = self.parts.blocks(message["content"], where)
        point = [block for block in content if "cachePoint" in block]
        content = [block for block in content if "cachePoint" not in block]
        if point:
            self.request.unsupported(f"{where}.content", "a cache point cannot stand inside a tool's result")
        result: Block = {
            "toolUseId": self._tool_id(message["tool_call_id"]),
            "content": content or [self._filler(where)],
        }
        status = message.get("status") or ("error" if message.get("is_error") else None)
        if status is not None and self.options.tool_status:
            result["status"] = status
        return {"toolResult": result}

    def _tool_id(self, given: str) -> str:
        """An id as Converse takes it; the same id gives the same."""
        if length := self.options.tool_id_length:
            return short_id(given, length)
        return given if _TOOL_ID.fullmatch(given) else hashlib.sha256(given.encode()).hexdigest()

    def _cache_point(self) -> Block:
        ttl = self.options.cache_ttl
        return {"cachePoint": {"type": "default", **({"ttl": ttl} if ttl else {})}}

    def _set_cache_points(self) -> None:
        """Those that `cache` asks for: after the system text, before which the tools stand, and after the last message.

        Points that the caller has set are the only ones.
        """
        mark = prompt_cache.wanted_mark(self.request)
        self.params.pop("cache", None)
        if mark is None or self.options.cache_points or self._has_points():
            return
        ttl = mark.get("ttl") or self.options.cache_ttl
        point: Block = {"cachePoint": {"type": "default", **({"ttl": ttl} if ttl else {})}}
        for blocks in (self.system, self.messages[-1]["content"]):
            places = [at for at, block in enumerate(blocks) if block.keys().isdisjoint(_UNMARKED)]
            if places:
                blocks.insert(places[-1] + 1, point)

    def _has_points(self) -> bool:
        contents = [self.system, *(message["content"] for message in self.messages)]
        return any("cachePoint" in block for blocks in contents for block in blocks) or any(
            "cachePoint" in tool for tool in self.params.get("tools", ())
        )

    # --- arguments ---

    def _inference(self) -> dict[str, Any]:
        params = self.params
        inference: dict[str, Any] = {}
        limits = [params.pop(name) for name in ("max_tokens", "max_completion_tokens") if name in params]
        if len(limits) > 1:
            raise InvalidRequestError("give max_tokens or max_completion_tokens, not both", param="max_tokens")
        if limits:
            inference["maxTokens"] = limits[0]
        if (temperature := params.pop("temperature", None)) is not None:
            if temperature > 1:
                self.request.adjustments.append(f"sent temperature={temperature:g} as 1, the most that Converse takes")
                temperature = 1
            inference["temperature"] = temperature
        if (top_p := params.pop("top_p", None)) is not None:
            inference["topP"] = top_p
        if (stop := params.pop("stop", None)) is not None:
            inference["stopSequences"] = [stop] if isinstance(stop, str) else list(stop)
        return inference

    def _tools(self) -> dict[str, Any]:
        params, options = self.params, self.options
        tools: list[Block] = []
        for number, tool in enumerate(params.pop("tools", ())):
            tools += self._tool(tool, f"tools[{number}]")
        tools += [{"systemTool": {"name": name}} for name in options.system_tools or ()]
        choice = self._tool_choice(params.pop("tool_choice", None), tools)
        if choice == "none":
            return {}
        if not tools and self.called:
            self.request.adjustments.append("named the tools that the history calls: Converse asks for them")
            tools = [
                {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}
                for name in dict.fromkeys(self.called)
            ]
        if tools and "tools" in options.cache_points:
            tools.append(self._cache_point())
        if (parallel := params.get("parallel_tool_calls")) is not None:
            own = self.fields.get("tool_choice")
            said = isinstance(own, Mapping) and own.get("disable_parallel_tool_use") is True
            if not parallel and tools and not said:
                self.request.unsupported(
                    "parallel_tool_calls=False",
                    "Converse cannot say it; for Claude give bedrock=BedrockOptions(fields={'tool_choice': {'type': "
                    "'auto', 'disable_parallel_tool_use': True}})",
                )
            del params["parallel_tool_calls"]
        if not tools:
            if choice is not None and "auto" not in choice:
                raise InvalidRequestError("tool_choice asks for a call, and there are no tools", param="tool_choice")
            return {}
        return {"tools": tools, **({"toolChoice": choice} if choice else {})}

    def _tool(self, tool: dict[str, Any], where: str) -> list[Block]:
        match tool:
            case {"type": "function", "function": function}:
                spec: Block = {"name": function["name"]}
                if function.get("description"):
                    spec["description"] = function["description"]
                spec["inputSchema"] = {"json": function.get("parameters") or {"type": "object", "properties": {}}}
                if function.get("strict") is not None:
                    spec["strict"] = function["strict"]
                blocks: list[Block] = [{"toolSpec": spec}]
            case {"type": str() as name} if name in ("toolSpec", "systemTool", "cachePoint") and name in tool:
                blocks = [{name: tool[name]}]
            case _:
                self.request.unsupported(where, f"it takes functions, no {tool.get('type')} tools")
                return []
        if mark := tool.get("cache_control"):
            blocks.append(cache_point(mark, f"{where}.cache_control"))
        return blocks

    def _tool_choice(self, choice: Any, tools: list[Block]) -> Any:  # noqa: PLR0911 - a choice a case
        """Converse's word for the choice, or "none" where the tools are to be left out."""
        match choice:
            case None | "auto":
                return None if choice is None else {"auto": {}}
            case "required":
                return {"any": {}}
            case "none":
                if not self.called:
                    self.request.adjustments.append("left the tools out, since none may be called")
                    return "none"
                if self.fields.get("tool_choice") != {"type": "none"}:
                    self.request.unsupported(
                        'tool_choice="none"',
                        "Converse has no such choice, and wants the tools that the history calls; for Claude give "
                        "bedrock=BedrockOptions(fields={'tool_choice': {'type': 'none'}})",
                    )
                return None
            case {"type": "function", "function": {"name": name}}:
                return {"tool": {"name": name}}
            case {"type": "allowed_tools", "allowed_tools": {"tools": allowed, **rest}}:
                names = {tool["function"]["name"] for tool in allowed if tool.get("type") == "function"}
                tools[:] = [tool for tool in tools if "toolSpec" not in tool or tool["toolSpec"]["name"] in names]
                self.request.adjustments.append("sent only the tools that are allowed")
                return {"any": {}} if rest.get("mode") == "required" else {"auto": {}}
            case _:
                self.request.unsupported(f"tool_choice={choice!r}", "it takes a function's name or a word")
                return None

    def _output(self) -> dict[str, Any]:
        output: dict[str, Any] = {}
        match self.params.pop("response_format", None):
            case {"type": "json_schema", "json_schema": dict() as said}:
                schema: dict[str, Any] = {"schema": encode_json(said.get("schema") or {}).decode()}
                schema |= {name: said[name] for name in ("name", "description") if said.get(name)}
                output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
            case {"type": "json_object"}:
                self.request.unsupported(
                    'response_format {"type": "json_object"}', "it takes json_schema: say what the object holds"
                )
            case _:
                pass
        if (effort := self.params.pop("reasoning_effort", None)) is not None:
            if path := self.options.effort_field:
                _put(self.fields, path.split("."), effort)
            else:
                output["effort"] = effort
        return output

    def _service(self, *, stream: bool) -> dict[str, Any]:
        params, options = self.params, self.options
        found: dict[str, Any] = {}
        if (guard := options.guardrail) is not None:
            found["guardrailConfig"] = {
                "guardrailIdentifier": guard.identifier,
                "guardrailVersion": guard.version,
                **({"trace": guard.trace} if guard.trace else {}),
                **({"streamProcessingMode": guard.stream} if guard.stream and stream else {}),
            }
        if options.latency is not None:
            found["performanceConfig"] = {"latency": options.latency}
        if options.response_fields:
            found["additionalModelResponseFieldPaths"] = list(options.response_fields)
        if options.prompt_variables:
            found["promptVariables"] = {name: {"text": text} for name, text in options.prompt_variables.items()}
        if metadata := params.pop("metadata", None):
            found["requestMetadata"] = metadata
        if (tier := params.pop("service_tier", None)) not in (None, "auto"):
            found["serviceTier"] = {"type": tier}
        return found

    def _leave_out(self) -> None:
        """What remains has no place in Converse."""
        take_stream_options(self.params, self.request)
        if self.params.get("modalities") == ["text"]:
            del self.params["modalities"]
        refuse_foreign_options(self.params, self.request)
        refuse(self.params, {name: _REFUSES.get(name, _REFUSED) for name in self.params}, self.request)


def _is_as_received(message: dict[str, Any], blocks: list[Block]) -> bool:
    """Whether a message says what its blocks do; text of nothing but space is not among them."""
    texts = [piece.get("text", "") for block in blocks for piece in (block, *_cited(block))]
    made = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if _is_call(block)]
    return "".join(texts).split() == text_of(message).split() and made == calls_of(message)


def _cited(block: Block) -> list[Block]:
    """The pieces of a text that has citations."""
    return block.get("citationsContent", {}).get("content") or []


def _is_call(block: Block) -> bool:
    return "toolUse" in block and not block["toolUse"].get("type")


def _put(fields: dict[str, Any], path: list[str], value: str) -> None:
    """Set a field inside others, each copied: they are the caller's."""
    name, *rest = path
    if rest:
        inner = dict(fields.get(name) or {})
        _put(inner, rest, value)
        fields[name] = inner
    else:
        fields[name] = value
