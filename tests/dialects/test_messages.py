"""What the Messages dialect sends, and what it reads. https://platform.claude.com/docs/en/api/messages"""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import messages as wire
from wire.chat_completions import dump

from onellm import AnthropicOptions
from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.anthropic.counts import AnthropicTokenCount
from onellm.dialects.anthropic.models import AnthropicModels
from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import (
    APIStatusError,
    BadRequestError,
    InvalidRequestError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest

DIALECT = AnthropicMessages()
HI: dict[str, Any] = {"role": "user", "content": "Hi"}
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}


def asking(*messages: dict[str, Any], **params: Any) -> ChatRequest:
    drops = params.pop("on_unsupported", "raise")
    return ChatRequest(
        provider="p", model="m", messages=list(messages or (HI,)), params=params, on_unsupported=drops, adjustments=[]
    )


def sent(*messages: dict[str, Any], dialect: AnthropicMessages = DIALECT, **params: Any) -> Any:
    body = dialect.encode_request(asking(*messages, **params)).body
    assert body is not None
    return json.loads(body)


def adjusted(*messages: dict[str, Any], **params: Any) -> list[str]:
    request = asking(*messages, **params)
    DIALECT.encode_request(request)
    return request.adjustments


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def call(id_: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(id_: str, content: Any = "42", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content, **more}


# --- messages -------------------------------------------------------------------------------------------------------


def test_a_leading_system_prompt_is_its_own_field() -> None:
    assert sent({"role": "system", "content": "Be brief."}, HI)["system"] == "Be brief."
    body = sent(
        {"role": "system", "content": "A"}, {"role": "developer", "content": [{"type": "text", "text": "B"}]}, HI
    )
    assert body["system"] == [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    assert body["messages"] == [HI]


def test_a_later_system_message_is_the_users_text_and_is_said_to_be() -> None:
    late = {"role": "system", "content": "Now French."}
    assert sent(HI, {"role": "assistant", "content": "Hello"}, late, HI)["messages"][2] == {
        "role": "user",
        "content": [{"type": "text", "text": "<system>\nNow French.\n</system>"}],
    }
    assert any("messages[1], of role system" in note for note in adjusted(HI, late))
    native = sent(HI, late, anthropic=AnthropicOptions(late_system="system"))["messages"][1]
    assert native == {"role": "system", "content": [{"type": "text", "text": "Now French."}]}


def test_a_prompt_of_nothing_but_a_system_message_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="add a user's message"):
        sent({"role": "system", "content": "Be brief."})


IMAGES = {
    "data:image/png;base64,iVBORw0K": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"},
    "https://a.example/b.png": {"type": "url", "url": "https://a.example/b.png"},
}


@pytest.mark.parametrize(("url", "source"), IMAGES.items(), ids=["data", "https"])
def test_images(url: str, source: dict[str, str]) -> None:
    (turn,) = sent(user({"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}))[
        "messages"
    ]
    assert turn["content"] == [{"type": "text", "text": "What?"}, {"type": "image", "source": source}]


FILES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "pdf": (
        {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
    ),
    "text": (
        {"file_data": "data:text/markdown;base64,R3LDvMOfZQ=="},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
    ),
    "id": ({"file_id": "file_1"}, {"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    "id of an image": (
        {"file_id": "file_1", "filename": "a.PNG"},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
    ),
    "url": (
        {"file_data": "https://a.example/b.pdf"},
        {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}},
    ),
    "image": (
        {"file_data": "data:image/gif;base64,R0lG"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lG"}},
    ),
}


@pytest.mark.parametrize(("file", "block"), FILES.values(), ids=FILES)
def test_files(file: dict[str, str], block: dict[str, Any]) -> None:
    assert sent(user({"type": "file", "file": file}))["messages"][0]["content"] == [block]


def test_documents_are_cited_where_the_call_says_so() -> None:
    options = AnthropicOptions(citations=True)
    part = {"type": "file", "file": FILES["pdf"][0], "context": "from the archive"}
    (block,) = sent(user(part), anthropic=options)["messages"][0]["content"]
    assert block["citations"] == {"enabled": True}
    assert block["context"] == "from the archive"


REFUSED = {
    "sound": {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    "a table": {"type": "file", "file": {"file_data": "data:application/vnd.ms-excel;base64,AAAA"}},
}


@pytest.mark.parametrize("part", REFUSED.values(), ids=REFUSED)
def test_parts_that_cannot_be_sent(part: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameterError, match=r"messages\[0\]\.content\[0\]"):
        sent(user(part))
    kept = sent(user(part, {"type": "text", "text": "x"}), on_unsupported="drop")["messages"][0]["content"]
    assert kept == [{"type": "text", "text": "x"}]


WRONG = {
    "no comma": "data:text/plain;base64",
    "no text": "data:text/plain;base64,////",
    "no data": "hello",
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_file_data_that_is_none(data: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"messages\[0\]\.content\[0\]"):
        sent(user({"type": "file", "file": {"file_data": data}}))


def test_a_host_that_fetches_nothing_takes_bytes_only() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
    with pytest.raises(UnsupportedParameterError, match="data: URL"):
        sent(user(part), dialect=AnthropicMessages(urls=False))


def test_tool_results_stand_first_in_one_turn() -> None:
    """All results of parallel calls, and what the user says with them, are one user message."""
    turns = sent(
        HI,
        {"role": "assistant", "content": "Looking.", "tool_calls": [call("a", arguments='{"n":1.0}'), call("b")]},
        result("a"),
        result("b", [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": next(iter(IMAGES))}}]),
        {"role": "user", "content": "Well?"},
        tools=[TOOL],
    )["messages"]
    assert turns[1]["content"] == [
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"n": 1.0}},
        {"type": "tool_use", "id": "b", "name": "f", "input": {}},
    ]
    assert turns[2:] == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "42"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [
                        {"type": "text", "text": "x"},
                        {"type": "image", "source": next(iter(IMAGES.values()))},
                    ],
                },
                {"type": "text", "text": "Well?"},
            ],
        }
    ]


def test_a_result_after_the_users_words_goes_before_them() -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [call("a")]}
    turns = sent(HI, calls, HI, result("a", "", is_error=True), tools=[TOOL])["messages"]
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "is_error": True},
        {"type": "text", "text": "Hi"},
    ]


def test_ids_and_names_of_other_providers_are_respelled_alike() -> None:
    """The API takes letters, digits, _ and -; two ids that differ stay different."""
    calls = {"role": "assistant", "content": None, "tool_calls": [call("a:1", "mcp.f"), call("a/1", "mcp_f")]}
    tools = [{"type": "function", "function": {"name": name}} for name in ("mcp.f", "mcp_f")]
    body = sent(HI, calls, result("a:1"), result("a/1"), tools=tools)
    used, given_back = body["messages"][1]["content"], body["messages"][2]["content"]
    assert [block["id"] for block in used] == [block["tool_use_id"] for block in given_back]
    assert len({block["id"] for block in used}) == 2
    assert [block["name"] for block in used] == [tool["name"] for tool in body["tools"]]
    assert used[1]["name"] == "mcp_f"
    assert used[0]["name"].startswith("mcp_f_")


def test_names_come_back_as_they_were() -> None:
    request = asking(HI, tools=[{"type": "function", "function": {"name": "mcp.f"}}])
    DIALECT.encode_request(request)
    assert "sent the tool name 'mcp.f' as 'mcp_f'" in request.adjustments
    body = wire.whole([{"type": "tool_use", "id": "a", "name": "mcp_f", "input": {}}], "tool_use")
    calls = DIALECT.decode_response(body, request).choices[0].message.tool_calls
    assert calls is not None
    (called,) = calls
    assert (called.function.name, called.function.arguments) == ("mcp.f", "{}")


def test_calls_whose_arguments_are_no_object() -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [call("a", arguments='{"city": "Par')]}
    assert sent(HI, calls, result("a"), tools=[TOOL])["messages"][1]["content"][0]["input"] == {
        "INVALID_JSON": '{"city": "Par'
    }
    assert any("arguments are no object" in note for note in adjusted(HI, calls, result("a"), tools=[TOOL]))


def test_a_history_with_calls_gets_bare_tools() -> None:
    """The API refuses calls in a history whose request has no tools."""
    calls = {"role": "assistant", "content": None, "tool_calls": [call("a", "g")]}
    body = sent(HI, calls, result("a"))
    assert body["tools"] == [{"name": "g", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}
    assert any("bare tools" in note for note in adjusted(HI, calls, result("a")))


def test_empty_texts_are_left_out() -> None:
    turns = sent(user({"type": "text", "text": ""}, {"type": "text", "text": "x"}), {"role": "user", "content": ""}, HI)
    assert turns["messages"] == [user({"type": "text", "text": "x"}), HI]


def test_an_answer_to_go_on_with_ends_without_white_space() -> None:
    begun = {"role": "assistant", "content": "It is \n"}
    assert sent(HI, begun)["messages"][1] == {"role": "assistant", "content": "It is"}
    assert "left out the white space at the end of the last message" in adjusted(HI, begun)
    assert sent(HI, begun, HI)["messages"][1] == begun
    for blank in (" \n", [{"type": "text", "text": " "}]):
        assert sent(HI, {"role": "assistant", "content": blank})["messages"] == [HI]


def test_cache_breakpoints_of_parts_messages_and_tools() -> None:
    control = {"type": "ephemeral", "ttl": "1h"}
    body = sent(
        {"role": "system", "content": "Long.", "cache_control": control},
        user({"type": "text", "text": "a", "cache_control": control}, {"type": "text", "text": "b"}),
        {"role": "assistant", "content": None, "tool_calls": [call("a")]},
        result("a", cache_control=control),
        tools=[{**TOOL, "cache_control": control}],
        anthropic=AnthropicOptions(cache_control={"type": "ephemeral"}),
    )
    assert body["system"] == [{"type": "text", "text": "Long.", "cache_control": control}]
    assert [block.get("cache_control") for block in body["messages"][0]["content"]] == [control, None]
    assert body["messages"][2]["content"][0]["cache_control"] == control
    assert body["tools"][0]["cache_control"] == control
    assert body["cache_control"] == {"type": "ephemeral"}


# --- arguments ------------------------------------------------------------------------------------------------------


def test_max_tokens_is_the_callers_or_a_stated_default() -> None:
    assert sent(max_tokens=5)["max_tokens"] == sent(max_completion_tokens=5)["max_tokens"] == 5
    assert sent(anthropic=AnthropicOptions(default_max_tokens=7))["max_tokens"] == 7
    assert sent()["max_tokens"] == 32_000
    assert adjusted() == ["sent max_tokens=32000, as the call has none and the API needs one"]
    assert adjusted(max_tokens=5) == []
    budget = AnthropicOptions(thinking={"type": "enabled", "budget_tokens": 40_000})
    assert sent(anthropic=budget)["max_tokens"] == 72_000  # thinking counts inside it
    with pytest.raises(InvalidRequestError, match="not both"):
        sent(max_tokens=5, max_completion_tokens=5)


EFFORTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "low": ({"reasoning_effort": "low"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    "minimal": (
        {"reasoning_effort": "minimal"},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
    ),
    "max": ({"reasoning_effort": "max"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
    "none": ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    "a budget": (
        {"anthropic": {"thinking": {"type": "enabled", "budget_tokens": 2048}}},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}},
    ),
    "effort and a budget": (
        {"reasoning_effort": "high", "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 2048}}},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "high"}},
    ),
}


@pytest.mark.parametrize(("given_", "expected"), EFFORTS.values(), ids=EFFORTS)
def test_thinking(given_: dict[str, Any], expected: dict[str, Any]) -> None:
    body = sent(max_tokens=9000, **given_)
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == expected


CHOICES: dict[str, tuple[dict[str, Any], Any]] = {
    "auto": ({"tool_choice": "auto"}, {"type": "auto"}),
    "none": ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
    "required": ({"tool_choice": "required"}, {"type": "any"}),
    "one": ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"type": "tool", "name": "f"}),
    "one by one": ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    "required one by one": (
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"type": "any", "disable_parallel_tool_use": True},
    ),
    "unsaid": ({"parallel_tool_calls": True}, None),
}


@pytest.mark.parametrize(("given_", "expected"), CHOICES.values(), ids=CHOICES)
def test_tool_choice(given_: dict[str, Any], expected: Any) -> None:
    assert sent(tools=[TOOL], **given_).get("tool_choice") == expected


def test_tools() -> None:
    """Functions are respelled; the API's own tools go as they are, from `tools` and from the options."""
    server: dict[str, Any] = {"type": "code_execution_20250825", "name": "code_execution"}
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    strict = {"type": "function", "function": {"name": "g", "description": "d", "strict": True}}
    body = sent(tools=[TOOL, strict, server], anthropic=AnthropicOptions(tools=(search,)))
    assert body["tools"] == [
        {"name": "f", "input_schema": PARAMETERS},
        {
            "name": "g",
            "description": "d",
            "strict": True,
            "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
        },
        server,
        search,
    ]


def test_web_search_options_are_a_tool() -> None:
    place = {"city": "Oslo", "country": "NO"}
    options = {"user_location": {"type": "approximate", "approximate": place}, "search_context_size": "medium"}
    assert sent(web_search_options=options)["tools"] == [
        {"type": "web_search_20250305", "name": "web_search", "user_location": {"type": "approximate", **place}}
    ]
    with pytest.raises(UnsupportedParameterError):
        sent(web_search_options={}, dialect=AnthropicMessages(web_search=""))


def test_a_schema_in_the_apis_subset_and_what_was_moved() -> None:
    schema = {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "minimum": 1, "description": "in years"},
            "tags": {"type": "array", "items": {"type": "string", "format": "color"}, "minItems": 2},
            "when": {"oneOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "of": {"$ref": "#/$defs/P", "description": "whose"},
            "kind": {"enum": ["a", 1]},
        },
        "required": ["age"],
        "additionalProperties": True,
        "$defs": {"P": {"type": "object", "properties": {"n": {"const": 1}}}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "s", "description": "A person", "schema": schema}}
    body = sent(response_format=form, reasoning_effort="low")
    assert body["output_config"]["effort"] == "low"
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "$defs": {"P": {"type": "object", "properties": {"n": {"const": 1}}, "additionalProperties": False}},
            "type": "object",
            "properties": {
                "age": {"type": "integer", "description": "in years\n\n{minimum: 1}"},
                "tags": {
                    "type": "array",
                    "items": {"type": "string", "description": "{format: color}"},
                    "description": "{minItems: 2}",
                },
                "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                "of": {"$ref": "#/$defs/P"},
                "kind": {"enum": ["a", 1]},
            },
            "required": ["age"],
            "additionalProperties": False,
            "description": "{additionalProperties: true}",
        },
    }
    note = adjusted(response_format=form)[-1]
    assert all(
        f"schema.{path}" in note
        for path in ("properties.age.minimum", "properties.tags.minItems", "properties.of.description")
    )


def test_sampling_and_the_version_that_has_none() -> None:
    params: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "stop": "END"}
    body = sent(**params, anthropic=AnthropicOptions(top_k=4))
    assert (body["temperature"], body["top_p"], body["top_k"], body["stop_sequences"]) == (0.5, 0.9, 4, ["END"])
    with pytest.raises(UnsupportedParameterError, match="it takes 0 to 1"):
        sent(temperature=1.5)
    newer = AnthropicOptions(version="2026-10-21")
    with pytest.raises(UnsupportedParameterError, match="version 2026-10-21 does not have it"):
        sent(temperature=0.5, anthropic=newer)
    assert "temperature" not in sent(temperature=0.5, anthropic=newer, on_unsupported="drop")


def test_who_asks_and_at_which_price() -> None:
    assert sent(user="u-1", service_tier="default")["metadata"] == {"user_id": "u-1"}
    assert sent(safety_identifier="s", service_tier="auto")["service_tier"] == "auto"
    assert sent(metadata={"user_id": "u"}, service_tier="default")["service_tier"] == "standard_only"
    wrongs: list[dict[str, Any]] = [{"metadata": {"a": "b"}}, {"service_tier": "flex"}]
    for wrong in wrongs:
        with pytest.raises(UnsupportedParameterError):
            sent(**wrong)


def test_options_of_the_api() -> None:
    options = AnthropicOptions(
        betas=("a-1", "b-2"),
        version="2026-10-21",
        container={"skills": [{"type": "anthropic", "skill_id": "pdf"}]},
        mcp_servers=({"type": "url", "url": "https://m.example", "name": "m"},),
        speed="fast",
        inference_geo="eu",
        context_management={"edits": []},
        diagnostics={"previous_message_id": "msg_0"},
    )
    http = DIALECT.encode_request(asking(anthropic=options))
    assert http.headers == {"anthropic-version": "2026-10-21", "anthropic-beta": "a-1,b-2"}
    body = json.loads(http.body or b"")
    assert body["container"] == {"skills": [{"type": "anthropic", "skill_id": "pdf"}]}
    assert body["mcp_servers"] == [{"type": "url", "url": "https://m.example", "name": "m"}]
    assert (body["speed"], body["inference_geo"], body["context_management"]) == ("fast", "eu", {"edits": []})
    assert body["diagnostics"] == {"previous_message_id": "msg_0"}


def test_a_host_that_has_it_all_in_the_body_and_the_path() -> None:
    dialect = AnthropicMessages(
        path="models/{model}:raw",
        stream_path="models/{model}:rawStream",
        model_in_body=False,
        stream_in_body=False,
        version_in_body="cloud-2023-05-31",
        betas_in_body=True,
    )
    request = asking(anthropic=AnthropicOptions(betas=("b-1",)), max_tokens=5)
    http, streamed = dialect.encode_request(request), dialect.encode_stream(request)
    assert (http.path, streamed.path, http.headers) == ("models/m:raw", "models/m:rawStream", {})
    assert json.loads(http.body or b"") == {
        "anthropic_version": "cloud-2023-05-31",
        "anthropic_beta": ["b-1"],
        "max_tokens": 5,
        "messages": [HI],
    }
    assert streamed.body == http.body


@pytest.mark.parametrize(
    "params",
    [
        {"n": 2},
        {"seed": 1},
        {"logprobs": True},
        {"frequency_penalty": 0.5},
        {"logit_bias": {"1": 1}},
        {"response_format": {"type": "json_object"}},
        {"prediction": {"type": "content"}},
        {"store": True},
        {"modalities": ["audio"]},
        {"verbosity": "low"},
        {"prompt_cache_key": "k"},
        {"functions": [{"name": "f"}]},
        {"tools": [{"type": "custom", "custom": {"name": "sh"}}]},
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
        {"cohere": {}},
    ],
    ids=",".join,
)
def test_what_it_cannot_say_is_refused_or_left_out_and_named(params: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        sent(**params)
    assert caught.value.param
    notes = adjusted(**params, max_tokens=5, on_unsupported="drop")
    assert any(note.startswith("left out ") for note in notes)


def test_odd_facts_of_a_model_say_nothing() -> None:
    """And an error, or what is no object, is no model."""
    read = AnthropicModels().decode_capabilities
    odd: tuple[Any, ...] = (None, [], {"image_input": None, "thinking": {"supported": "yes"}})
    for facts in odd:
        item = {"id": "m", "max_input_tokens": "9", "max_tokens": True, "capabilities": facts}
        found = read(json.dumps(item).encode(), "m")
        assert found is not None
        assert (found.context_window, found.max_output_tokens, found.vision, found.reasoning) == (None,) * 4
    with pytest.raises(APIStatusError, match="gone"):
        read(b'{"type": "error", "error": {"type": "not_found_error", "message": "gone"}}', "m")
    with pytest.raises(ResponseDecodeError, match="not a model"):
        read(b"[]", "m")


# --- cache= ---------------------------------------------------------------------------------------------------------

EPHEMERAL: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
SYSTEM: dict[str, Any] = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("cache", "mark"),
    [
        ("on", {"type": "ephemeral"}),
        ("5m", {"type": "ephemeral", "ttl": "5m"}),
        ("1h", {"type": "ephemeral", "ttl": "1h"}),
    ],
)
def test_cache_marks_the_system_prompt_and_the_last_turn(cache: str, mark: dict[str, str]) -> None:
    """Tools stand before the system prompt, so that its mark holds for them; `cache` itself is not sent."""
    body = sent(SYSTEM, HI, tools=[TOOL], cache=cache)
    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": mark}]
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": mark}]},
    ]
    assert "cache_control" not in body["tools"][0]
    assert "cache" not in body


def test_cache_marks_the_tools_where_there_is_no_system_prompt() -> None:
    """The last of those that are loaded at once."""
    body = sent(tools=[TOOL, {**TOOL, "defer_loading": True}], cache="on")
    assert [tool.get("cache_control") for tool in body["tools"]] == [{"type": "ephemeral"}, None]


def test_cache_marks_the_last_block_that_can_have_a_mark() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    blocks = [{"type": "text", "text": "Hello"}, thinking]
    answer = {
        "role": "assistant",
        "content": "Hello",
        "provider_data": {"provider": "p", "data": {"content": blocks}},
    }
    assert sent(HI, answer, cache="on")["messages"][-1]["content"] == [{**blocks[0], **EPHEMERAL}, thinking]
    assert blocks == [{"type": "text", "text": "Hello"}, thinking]
    results = sent(HI, {"role": "assistant", "tool_calls": [call("a")]}, result("a"), cache="on")
    assert [block.get("cache_control") for block in results["messages"][-1]["content"]] == [{"type": "ephemeral"}]


@pytest.mark.parametrize(
    ("messages", "params"),
    [
        ([user({"type": "text", "text": "x", **EPHEMERAL}), HI], {}),
        ([{**HI, **EPHEMERAL}, HI], {}),
        ([HI], {"tools": [{**TOOL, **EPHEMERAL}]}),
        ([SYSTEM, HI], {"anthropic": {"cache_control": {"type": "ephemeral"}}}),
        ([HI], {"anthropic": {"tools": ({"type": "web_search_20250305", "name": "web_search", **EPHEMERAL},)}}),
    ],
)
def test_marks_of_the_caller_are_the_only_ones(messages: list[Any], params: dict[str, Any]) -> None:
    asked = sent(*messages, cache="1h", **params)
    assert asked == sent(*messages, **params)
    assert str(asked).count("cache_control") == 1


def test_cache_off_sets_no_marks() -> None:
    assert sent(SYSTEM, HI, cache="off") == sent(SYSTEM, HI)
    assert adjusted(HI, max_tokens=5, cache="off") == []


@pytest.mark.parametrize("params", [{"n": 1}, {"store": False}, {"logprobs": False}, {"modalities": ["text"]}])
def test_what_asks_for_the_usual_is_left_out_in_silence(params: dict[str, Any]) -> None:
    assert sent(max_tokens=5, **params) == {"model": "m", "max_tokens": 5, "messages": [HI]}
    assert adjusted(max_tokens=5, **params) == []


def test_counting_sends_the_prompt_alone() -> None:
    counter = AnthropicTokenCount()
    request = asking(tools=[TOOL], stop="x", user="u", max_tokens=5, temperature=0.5, reasoning_effort="low")
    http = counter.encode_request(request)
    assert http.path == "v1/messages/count_tokens"
    assert json.loads(http.body or b"").keys() == {"model", "messages", "tools", "thinking", "output_config"}
    assert counter.decode_response(b'{"input_tokens":13}', request).input_tokens == 13
    with pytest.raises(ResponseDecodeError):
        counter.decode_response(b'{"tokens":13}', request)


# --- answers --------------------------------------------------------------------------------------------------------

THINKING = {"type": "thinking", "thinking": "Need weather.", "signature": "EqQB..."}
CITED = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": "facts",
    "start_char_index": 0,
}
WEB = {"type": "web_search_result_location", "cited_text": "y", "url": "https://a.example", "title": "A"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"encrypted_content": "zzz"}]}
REDACTED = {"type": "redacted_thinking", "data": "opaque"}

# An answer whole, and the events that say the same.
CASES: dict[str, tuple[bytes, list[bytes]]] = {
    "text": (wire.ANSWER, wire.STREAM),
    "tools": (wire.TOOL_ANSWER, wire.TOOL_STREAM),
    "thinking, text and a call": (
        wire.whole(
            [
                THINKING,
                {"type": "text", "text": "Checking."},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"city": "Paris"}},
            ],
            "tool_use",
        ),
        [
            wire.start(),
            *wire.block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "Need "},
                {"type": "thinking_delta", "thinking": "weather."},
                {"type": "signature_delta", "signature": "EqQB..."},
            ),
            *wire.text_block(1, "Checking."),
            *wire.tool_block(2, "toolu_1", "f", '{"city":"Paris"}'),
            *wire.end("tool_use"),
        ],
    ),
    "a call without arguments": (
        wire.whole([{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}], "tool_use"),
        [wire.start(), *wire.tool_block(0, "toolu_1", "f", ""), *wire.end("tool_use")],
    ),
    "search, citations and hidden thinking": (
        wire.whole(
            [
                REDACTED,
                SEARCH,
                FOUND,
                {"type": "text", "text": "Grüße. "},
                {"type": "text", "text": "Cited", "citations": [CITED, WEB]},
                {"type": "text", "text": "."},
            ],
            "pause_turn",
        ),
        [
            wire.start(),
            *wire.block(0, REDACTED),
            *wire.block(1, {**SEARCH, "input": {}}, {"type": "input_json_delta", "partial_json": '{"query":"q"}'}),
            *wire.block(2, FOUND),
            *wire.text_block(3, "Grüße. "),
            *wire.block(
                4,
                {"type": "text", "text": "", "citations": []},
                {"type": "citations_delta", "citation": CITED},
                {"type": "text_delta", "text": "Cited"},
                {"type": "citations_delta", "citation": WEB},
            ),
            *wire.text_block(5, "."),
            *wire.end("pause_turn"),
        ],
    ),
    "a refusal": (
        wire.whole([], "refusal", stop_details={"type": "refusal", "category": "bio", "explanation": "No."}),
        [wire.start(), *wire.end("refusal", stop_details={"type": "refusal", "explanation": "No."})],
    ),
}


def fold(*pieces: bytes, request: ChatRequest | None = None) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    reducer = DIALECT.reducer(request or asking(), max_event_bytes=1 << 20)
    chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
    return chunks, reducer.close()


def plain(reply: ChatCompletion) -> dict[str, Any]:
    reply.raw = b""
    found: dict[str, Any] = msgspec.to_builtins(reply)
    return found


@pytest.mark.parametrize(("whole", "events"), CASES.values(), ids=CASES)
def test_whole_stream_and_bytes_say_the_same(whole: bytes, events: list[bytes]) -> None:
    stream = b"".join(events)
    expected = plain(DIALECT.decode_response(whole, asking()))
    for pieces in ([stream], events, [stream[at : at + 1] for at in range(len(stream))]):
        chunks, reply = fold(*pieces)
        assert plain(reply) == expected
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert text == (reply.choices[0].message.content or "")


JOINED = b"".join(CASES["search, citations and hidden thinking"][1]).replace(b"\n", b"\r\n")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(JOINED)), max_size=12))
def test_where_the_stream_is_cut_does_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(JOINED)]
    pieces = [JOINED[a:b] for a, b in pairwise(edges)]
    assert plain(fold(*pieces)[1]) == plain(
        DIALECT.decode_response(CASES["search, citations and hidden thinking"][0], asking())
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(JOINED) - 3))
def test_a_stream_that_breaks_off_is_never_an_answer(end: int) -> None:
    with pytest.raises(StreamInterruptedError):
        fold(JOINED[:end])


def test_what_comes_after_the_end_is_not_read() -> None:
    events = CASES["text"][1]
    assert plain(fold(b"".join([*events, *events, b"data: {"]))[1]) == plain(fold(*events)[1])


def test_a_block_that_begins_before_the_last_has_ended() -> None:
    events = [wire.start(), *wire.text_block(0, "abc")[:-1], *wire.text_block(0, "def"), *wire.end()]
    assert fold(*events)[1].choices[0].message.content == "abcdef"


def test_the_documented_stream() -> None:
    """Chunks as OpenAI has them: a role, pieces, calls by their own number, an end; and usage where it is asked for."""
    events = CASES["thinking, text and a call"][1]
    first = {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 100, "output_tokens": 1}
    events = [wire.start(first), *events[1:-2], *wire.end("tool_use", {"output_tokens": 57})]
    chunks, reply = fold(*events, request=asking(stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert [delta.reasoning for delta in deltas if delta.reasoning] == ["Need ", "weather."]
    calls = [call_ for delta in deltas for call_ in delta.tool_calls or ()]
    assert {call_.index for call_ in calls} == {0}
    assert (calls[0].id, calls[0].function and calls[0].function.name) == ("toolu_1", "f")
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert (chunks[-1].choices, chunks[-1].usage) == ([], reply.usage)
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (120, 57, 177)
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 100
    assert (reply.id, reply.model, reply.choices[0].message.reasoning) == (
        "msg_1",
        "claude-sonnet-4-6",
        "Need weather.",
    )


def test_usage_at_the_end_takes_the_place_of_the_first() -> None:
    """Nulls and absent counts keep what came first; thinking is a part of what was written."""
    last = {
        "output_tokens": 9,
        "input_tokens": 30,
        "cache_read_input_tokens": None,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    first = {"input_tokens": 1, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 2, "output_tokens": 3}
    _, reply = fold(wire.start(first), *wire.end(usage=last))
    usage = reply.usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.completion_tokens_details is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (36, 9)
    assert usage.prompt_tokens_details.cache_write_tokens == 4
    assert usage.completion_tokens_details.reasoning_tokens == 5


def test_citations_count_characters_of_the_content() -> None:
    message = DIALECT.decode_response(CASES["search, citations and hidden thinking"][0], asking()).choices[0].message
    assert message.content == "Grüße. Cited."
    assert message.citations is not None
    assert message.annotations is not None
    first, second = message.citations
    assert message.content[first.start_index : first.end_index] == "Cited"
    assert (first.title, first.document, first.text, first.raw_citation) == ("facts", 0, "x", CITED)
    assert (second.url, second.title) == ("https://a.example", "A")
    (annotation,) = message.annotations
    assert annotation.url_citation is not None
    assert (annotation.url_citation.url, annotation.url_citation.start_index) == ("https://a.example", 7)


ENDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "compaction": "stop",
    "tired": "other",
}


@pytest.mark.parametrize(("stop", "finish"), ENDS.items())
def test_ends(stop: str, finish: str) -> None:
    choice = DIALECT.decode_response(wire.whole([], stop), asking()).choices[0]
    assert (choice.finish_reason, choice.finish_reason_raw, choice.message.content) == (finish, stop, None)


def test_a_refusal_says_why() -> None:
    assert DIALECT.decode_response(CASES["a refusal"][0], asking()).choices[0].message.refusal == "No."


@pytest.mark.parametrize("body", [b"[]", b"{}", b"nothing", b'{"content":3}', b'{"id":"msg_1"}'])
def test_what_is_no_message(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError, match="not a message"):
        DIALECT.decode_response(body, asking())


ODD = [
    {"type": None, "text": "x"},
    {"type": ["text"]},
    {"type": "text", "text": 3, "citations": 3},
    {"type": "text", "text": "x", "citations": ["a", None]},
    {"type": "tool_use", "input": {"a": 1}},
    {"type": "thinking", "thinking": None, "signature": 3},
    {},
]


@pytest.mark.parametrize("block", ODD, ids=str)
def test_blocks_of_odd_shapes_are_read_and_go_back(block: dict[str, Any]) -> None:
    """What is no block is left out; nothing but our own errors is raised."""
    reply = DIALECT.decode_response(wire.whole([block, {"type": "text", "text": "y"}, THINKING]), asking())
    message = reply.choices[0].message
    assert (message.content or "").endswith("y")
    assert THINKING in sent(HI, message.to_dict(), on_unsupported="drop")["messages"][1]["content"]


def test_fields_that_do_not_fit_are_left_out() -> None:
    usage = {"input_tokens": 1.0, "output_tokens": "y"}
    body = dump({"id": None, "model": 5, "content": [{"type": "text", "text": "x"}], "usage": usage})
    reply = DIALECT.decode_response(body, asking())
    assert (reply.choices[0].message.content, reply.usage and reply.usage.prompt_tokens) == ("x", 1)


ERRORS: dict[str, tuple[int, dict[str, Any], type[APIStatusError]]] = {
    "overloaded": (529, {"type": "overloaded_error"}, OverloadedError),
    "rate": (429, {"type": "rate_limit_error"}, RateLimitError),
    "billing": (402, {"type": "billing_error"}, QuotaExceededError),
    "spend": (
        400,
        {"type": "invalid_request_error", "details": {"error_code": "enforced_spend_limit_reached"}},
        QuotaExceededError,
    ),
    "request": (400, {"type": "invalid_request_error"}, BadRequestError),
}


@pytest.mark.parametrize(("status", "error", "cls"), ERRORS.values(), ids=ERRORS)
def test_errors(status: int, error: dict[str, Any], cls: type[APIStatusError]) -> None:
    """By status, by code, and the same inside a stream without a status."""
    body = dump({"type": "error", "error": {**error, "message": "no"}, "request_id": "req_1"})
    found = DIALECT.decode_error(status, {"request-id": "req_1", "retry-after": "3"}, body, now=0.0)
    assert (type(found), found.message, found.request_id, found.retry_after) == (cls, "no", "req_1", 3.0)
    reducer = DIALECT.reducer(asking(), max_event_bytes=1 << 20)
    reducer.feed(wire.start() + b"data: " + body + b"\n\n")
    assert type(reducer.error) is cls
    with pytest.raises(cls):
        reducer.close()
    with pytest.raises(cls):
        DIALECT.decode_response(body, asking())


# --- what came out goes back in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_blocks_go_back_byte_for_byte(streamed: bool) -> None:
    """Thinking, signatures, searches and citations, in their order; also after JSON has been made of the message."""
    whole, events = CASES["search, citations and hidden thinking"]
    reply = fold(*events)[1] if streamed else DIALECT.decode_response(whole, asking())
    message = json.loads(json.dumps(reply.choices[0].message.to_dict()))
    request = asking(HI, message)
    body = DIALECT.encode_request(request).body or b""
    for block in json.loads(whole)["content"]:
        if block["type"] != "text":
            assert dump(block) in body
    turn = json.loads(body)["messages"][1]
    assert turn["role"] == "assistant"
    assert [block["type"] for block in turn["content"]] == [block["type"] for block in json.loads(whole)["content"]]


def test_another_provider_gets_none_of_it() -> None:
    message = DIALECT.decode_response(CASES["thinking, text and a call"][0], asking()).choices[0].message.to_dict()
    request = asking(HI, message, result("toolu_1"), max_tokens=5)
    request.provider = "another"
    body = OpenAIChat().encode_request(request).body or b""
    assert b"EqQB" not in body
    assert b"Need weather" not in body
    called = [call("toolu_1", arguments='{"city":"Paris"}')]
    assert json.loads(body)["messages"][1] == {"role": "assistant", "content": "Checking.", "tool_calls": called}
    ours = DIALECT.encode_request(request).body or b""  # another host of the same API
    assert b"EqQB" not in ours


def test_a_message_that_was_changed_goes_as_it_says_now() -> None:
    """Thinking stays with it; the call notes that the rest of its native blocks does not."""
    message = DIALECT.decode_response(CASES["thinking, text and a call"][0], asking()).choices[0].message.to_dict()
    message["content"] = "Looking."
    turn = sent(HI, message, result("toolu_1"), tools=[TOOL])["messages"][1]
    assert turn["content"][0] == THINKING
    assert turn["content"][1] == {"type": "text", "text": "Looking."}
    assert any("was changed" in note for note in adjusted(HI, message, result("toolu_1"), tools=[TOOL]))


def test_plain_answers_carry_nothing_along() -> None:
    for name in ("text", "tools"):
        assert DIALECT.decode_response(CASES[name][0], asking()).choices[0].message.provider_data is None
