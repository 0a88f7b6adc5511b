"""Bad input is an error with the path of the bad value, before anything is sent; odd but good input passes."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.chat_completions import ANSWER, TOOL_ANSWER

from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import InvalidRequestError, OneLLMError
from onellm.resources import embeddings, validation
from onellm.types.chat_params import (
    AssistantMessage,
    ChatParams,
    ChatRequest,
    CustomToolCall,
    DeveloperMessage,
    FunctionMessage,
    FunctionToolCall,
    ImagePart,
    Message,
    SystemMessage,
    SystemMessageParam,
    TextPart,
    ToolMessage,
    UserMessage,
    UserMessageParam,
)
from onellm.types.options import Timeouts

HI = {"role": "user", "content": "Hi"}
TEXT = {"type": "text", "text": "a"}


def messages(*given: Any) -> list[dict[str, Any]]:
    return validation.messages(list(given))


def refused(given: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        validation.messages(given)
    assert caught.value.param == "messages"
    return caught.value


BAD: dict[str, tuple[Any, str]] = {
    "None": (None, "messages must be a list of messages, not None"),
    "a number": (5, "messages must be a list of messages, not int"),
    "text": ("Hi", "messages must be a list of messages, not str"),
    "bytes": (b"Hi", "messages must be a list of messages, not bytes"),
    "one message": (HI, "messages must be a list of messages, not dict"),
    "one Struct": (UserMessage(content="Hi"), "messages must be a list of messages, not UserMessage"),
    "nothing": ([], "messages is empty: give at least one message"),
    "text in the list": ([HI, "Hi"], "messages[1] must be a dict or a message, not str"),
    "None in the list": ([None], "messages[0] must be a dict or a message, not None"),
    "no role": ([{"content": "x"}], "messages[0]: Object missing required field role"),
    "a wrong role": ([HI, {"role": "usr", "content": "x"}], "messages[1].role: Invalid value 'usr'; a role is system,"),
    "a role that is no text": ([{"role": 1, "content": "x"}], "messages[0].role: "),
    "no content": ([{"role": "user"}], "messages[0]: Object missing required field content"),
    "content None": ([{"role": "user", "content": None}], "messages[0].content: Expected str | array, got null"),
    "content a number": ([HI, {"role": "user", "content": 5}], "messages[1].content must be a list, not int"),
    "content a dict": ([{"role": "user", "content": TEXT}], "messages[0].content must be a list, not dict"),
    "content bytes": ([{"role": "user", "content": b"x"}], "messages[0].content must be a list, not bytes"),
    "content a Struct": (
        [{"role": "user", "content": TextPart(text="x")}],
        "messages[0].content must be a list, not TextPart",
    ),
    "texts for parts": ([{"role": "user", "content": ["x"]}], "messages[0].content[0]: Expected object, got str"),
    "no type": (
        [{"role": "user", "content": [TEXT, {"text": "x"}]}],
        "messages[0].content[1]: Object missing required field type",
    ),
    "no text": (
        [{"role": "user", "content": [{"type": "text"}]}],
        "messages[0].content[0]: Object missing required field text",
    ),
    "text a number": (
        [{"role": "user", "content": [{"type": "text", "text": 1}]}],
        "messages[0].content[0].text: Expected str, got int",
    ),
    "a near miss": (
        [HI, {"role": "user", "content": [TEXT, {"type": "image-url", "image_url": {"url": "x"}}]}],
        "messages[1].content[1].type is 'image-url'; did you mean 'image_url'?",
    ),
    "a near miss after an unknown part": (
        [{"role": "user", "content": [{"type": "video_url"}, {"type": "texts", "text": "x"}]}],
        "messages[0].content[1].type is 'texts'; did you mean 'text'?",
    ),
    "a wrong part after an unknown part": (
        [{"role": "user", "content": [{"type": "video_url"}, {"type": "document"}, {"type": "text", "text": 1}]}],
        "messages[0].content[2].text: Expected str, got int",
    ),
    "an image without a url": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
        "messages[0].content[0].image_url: Object missing required field url",
    ),
    "no tool_call_id": ([{"role": "tool", "content": "x"}], "messages[0]: Object missing required field tool_call_id"),
    "calls a text": (
        [{"role": "assistant", "tool_calls": "x"}],
        "messages[0].tool_calls: Expected array | null, got str",
    ),
    "calls a dict": (
        [{"role": "assistant", "tool_calls": {"id": "x"}}],
        "messages[0].tool_calls must be a list, not dict",
    ),
    "a call without a function": (
        [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}],
        "messages[0].tool_calls[0]: Object missing required field function",
    ),
    "arguments a dict": (
        [
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}],
            }
        ],
        "messages[0].tool_calls[0].function.arguments: Expected str, got object",
    ),
    "a call of an unknown type": (
        [{"role": "assistant", "tool_calls": [{"id": "a", "type": "functoin"}]}],
        "messages[0].tool_calls[0].type: Invalid value 'functoin'",
    ),
    "sound without an id": (
        [{"role": "assistant", "audio": {}}],
        "messages[0].audio: Object missing required field id",
    ),
}


@pytest.mark.parametrize(("given_", "text"), BAD.values(), ids=BAD)
def test_bad_messages(given_: Any, text: str) -> None:
    """The message begins with the path, and says what is wrong there."""
    message = refused(given_).message
    assert message.startswith(text), message
    assert "`" not in message


def test_plain_messages_pass_as_they_are() -> None:
    history = [
        {"role": "system", "content": "s", "name": "n"},
        {"role": "developer", "content": [TEXT]},
        HI,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "r"},
        {"role": "function", "name": "f", "content": None},
        {"role": "assistant", "content": "x", "refusal": None, "audio": {"id": "a"}},
    ]
    assert validation.messages(history) == history  # type: ignore[arg-type]


def test_unknown_part_types_and_fields_pass() -> None:
    """Hosts have parts beyond OpenAI's; what they are is theirs to judge."""
    parts = [
        {"type": "video_url", "video_url": {"url": "x"}},
        TEXT,
        {"type": "document", "source": {}},
        {"type": "ümlaut"},
    ]
    given_ = {"role": "user", "content": parts, "cache_control": {"type": "ephemeral"}}
    assert messages(given_) == [given_]


def test_images_and_sound_in_the_forms_that_hosts_take() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": "https://e.org/a.png"},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "input_audio", "input_audio": "https://e.org/a.wav"},
        {"type": "file", "file": {"file_id": "f"}},
    ]
    assert messages({"role": "user", "content": parts})[0]["content"] == parts


def test_iterables_become_lists() -> None:
    def parts() -> Iterator[Mapping[str, Any]]:
        yield TEXT
        yield {"type": "text", "text": "b"}

    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    given_ = (
        {**message} for message in ({"role": "user", "content": parts()}, {"role": "assistant", "tool_calls": (call,)})
    )
    assert validation.messages(given_) == [  # type: ignore[arg-type]
        {"role": "user", "content": [TEXT, {"type": "text", "text": "b"}]},
        {"role": "assistant", "tool_calls": [call]},
    ]


def test_structs_become_dicts_without_their_nones() -> None:
    call = FunctionToolCall(id="a", function={"name": "f", "arguments": "{}"})
    custom = CustomToolCall(id="b", custom={"name": "s", "input": "x"})
    given_: list[Message] = [
        SystemMessage(content="s"),
        DeveloperMessage(content=[TextPart(text="d")]),
        UserMessage(content=[TextPart(text="a"), ImagePart(image_url={"url": "u"})], name="n"),
        AssistantMessage(tool_calls=[call, custom]),
        ToolMessage(tool_call_id="a", content="r"),
        FunctionMessage(name="f", content="r"),
    ]
    assert validation.messages(given_) == [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "d"}]},
        {"role": "user", "name": "n", "content": [TEXT, {"type": "image_url", "image_url": {"url": "u"}}]},
        {
            "role": "assistant",
            "tool_calls": [
                {"type": "function", "id": "a", "extra_content": None, "function": {"name": "f", "arguments": "{}"}},
                {"type": "custom", "id": "b", "extra_content": None, "custom": {"name": "s", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "r"},
        {"role": "function", "name": "f", "content": "r"},
    ]


def test_structs_inside_dicts() -> None:
    call = FunctionToolCall(id="a", function={"name": "f", "arguments": "{}"})
    given_ = [{"role": "user", "content": [TextPart(text="a"), TEXT]}, {"role": "assistant", "tool_calls": [call]}]
    plain = messages(*given_)
    assert plain[0]["content"] == [TEXT, TEXT]
    assert plain[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert isinstance(given_[0]["content"][0], TextPart)  # the caller's own list is not touched


def test_typed_dicts_and_other_mappings() -> None:
    system: SystemMessageParam = {"role": "system", "content": "s"}
    user: UserMessageParam = {"role": "user", "content": [{"type": "text", "text": "a"}]}
    assert messages(system, MappingProxyType(dict(user))) == [dict(system), dict(user)]


@pytest.mark.parametrize("body", [ANSWER, TOOL_ANSWER], ids=["text", "tools"])
def test_a_message_from_an_answer_goes_in(body: bytes) -> None:
    request = ChatRequest(provider="p", model="m", messages=[], params={})
    message = OpenAIChat(replay=("content",)).decode_response(body, request).choices[0].message
    for form in (message, message.model_dump(), message.to_dict()):
        (plain,) = messages(form)
        assert (plain["role"], plain.get("content")) == ("assistant", message.content)
        calls = [call["function"] for call in plain.get("tool_calls") or ()]
        assert calls == [call.function.to_dict() for call in message.tool_calls or ()]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls", "id", "image_url", "audio", "function"])
            | st.text(max_size=3),
            inner | st.sampled_from(["user", "assistant", "tool", "text", "image_url", "function"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(anything)
def test_anything_passes_or_is_refused(value: Any) -> None:
    """Nothing but our own error comes out, whatever goes in."""
    forms: tuple[Any, ...] = (
        value,
        [value],
        [{"role": "user", "content": value}],
        [{"role": "assistant", "tool_calls": value}],
    )
    for given_ in forms:
        try:
            plain = validation.messages(given_)
        except OneLLMError:
            continue
        assert all(isinstance(message, dict) and "role" in message for message in plain)


# --- arguments ----------------------------------------------------------------------------------------------------


def params(**given: Any) -> dict[str, Any]:
    return validation.params(given, ChatParams, "chat.completions.create")


BAD_PARAMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a misspelling": ({"temprature": 1}, "temprature", "has no argument 'temprature'; did you mean temperature?"),
    "unheard of": (
        {"qzxv": 1},
        "qzxv",
        "has no argument 'qzxv'; what a provider takes beyond this goes into extra_body=",
    ),
    "a text for a number": ({"temperature": "hot"}, "temperature", "temperature: Expected float | null, got str"),
    "below": ({"temperature": -1}, "temperature", "temperature: Expected float >= 0"),
    "nan": ({"temperature": float("nan")}, "temperature", "temperature: Expected float >= 0"),
    "above": ({"top_p": 1.5}, "top_p", "top_p: Expected float <= 1"),
    "a bool for a number": ({"n": True}, "n", "n: Expected int | null, got bool"),
    "zero": ({"max_tokens": 0}, "max_tokens", "max_tokens: Expected int >= 1"),
    "deep": (
        {"tools": [{"type": "function", "function": {}}]},
        "tools",
        "tools[0].function: Object missing required field name",
    ),
    "a literal": (
        {"response_format": {"type": "json"}},
        "response_format",
        "response_format.type: Invalid enum value 'json'",
    ),
    "a word": ({"reasoning_effort": "huge"}, "reasoning_effort", "reasoning_effort: Invalid enum value 'huge'"),
    "a list in place of a dict": ({"metadata": []}, "metadata", "metadata: Expected object | null, got array"),
    "on_unsupported": ({"on_unsupported": "ignore"}, "on_unsupported", "on_unsupported: Invalid enum value 'ignore'"),
    "a header with a line end": (
        {"extra_headers": {"X": "a\r\nY: b"}},
        "extra_headers",
        "extra_headers['X'] holds a line end",
    ),
    "a header's name with one": (
        {"extra_headers": {"X\n": "a"}},
        "extra_headers",
        "extra_headers['X\\n'] holds a line end",
    ),
    "a header that is no text": ({"extra_headers": {"X": 5}}, "extra_headers", "extra_headers"),
}


@pytest.mark.parametrize(("given_", "param", "text"), BAD_PARAMS.values(), ids=BAD_PARAMS)
def test_bad_arguments(given_: dict[str, Any], param: str, text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        params(**given_)
    assert text in caught.value.message
    assert caught.value.param == param


def test_none_is_the_same_as_leaving_out() -> None:
    assert params(**dict.fromkeys(ChatParams.__annotations__)) == {}


def test_good_arguments_pass_as_they_are() -> None:
    given_ = {
        "temperature": 0,
        "stop": ["a", "b"],
        "logit_bias": {"5": -100},
        "tools": ({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},),
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
        "extra_headers": {"X-A": "b", "User-Agent": None},
        "extra_query": {"a": 1, "b": True},
        "timeout": Timeouts(total=5),
        "extra_body": {"anything": object()},
    }
    assert params(**given_) == given_


@pytest.mark.parametrize("value", [None, "", 5, b"x", ["x"]])
def test_text(value: object) -> None:
    assert validation.text("x", "input") == "x"
    with pytest.raises(InvalidRequestError, match="input must be a text that is not empty, not ") as caught:
        validation.text(value, "input")
    assert caught.value.param == "input"


# --- embeddings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "inputs", "single"),
    [
        ("a", ["a"], True),
        (["a", "b"], ["a", "b"], False),
        (("a",), ["a"], False),
        ((text for text in "ab"), ["a", "b"], False),
        ([1, 2], [[1, 2]], True),
        ([[1, 2], [3]], [[1, 2], [3]], False),
    ],
)
def test_embedding_inputs(given_: Any, inputs: Any, single: bool) -> None:
    assert embeddings._inputs(given_) == (inputs, single)


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ([], "input is empty"),
        ("", "input must be a text that is not empty"),
        (["a", ""], "input[1] must be a text that is not empty"),
        (["a", 5], "input[1] must be a text or a list of token ids"),
        ([[1], []], "input[1] must be a text or a list of token ids"),
        ([[1, "x"]], "input[0] must be a text or a list of token ids"),
        ([None], "input[0] must be a text or a list of token ids"),
        (b"ab", "input must be a text, texts or token ids, not bytes"),
        ({"a": 1}, "input must be a text, texts or token ids, not dict"),
        (None, "input must be a text, texts or token ids, not NoneType"),
        (5, "input must be a text, texts or token ids, not int"),
    ],
)
def test_bad_embedding_inputs(given_: Any, text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        embeddings._inputs(given_)
    assert caught.value.message.startswith(text)
    assert caught.value.param == "input"
