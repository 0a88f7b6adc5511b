"""Thinking between tags: wherever the text is cut, whole and streamed answers are the same."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Answer, Loopback, streamed

from onellm import AsyncOneLLM
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.chat_stream import ChatStreamReducer, TaggedChatReducer
from onellm.dialects.think_tags import ThinkTags
from onellm.providers.compatible import ROWS, compatible
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest

TAGGED = OpenAIChat(think_tags=True)
CASES = {
    "<think>\nHm.\n</think>\n\nYes.": ("Hm.", "Yes."),
    "<think>Hm.</think>Yes.": ("Hm.", "Yes."),
    " \n<think>a\n\nb </think> Yes. ": ("a\n\nb", "Yes. "),
    "<think>\n\n</think>\n\nYes.": (None, "Yes."),
    "<think></think>": (None, None),
    "<think>cut o": ("cut o", None),
    "<think>cut </thin": ("cut </thin", None),
    "<think>a < b </ c</think>d": ("a < b </ c", "d"),
    "<think>a</think>b <think>c</think>": ("a", "b <think>c</think>"),
    "The tag <think> is text.": (None, "The tag <think> is text."),
    "<thi": (None, "<thi"),
    "<thinking>": (None, "<thinking>"),
    " <b>": (None, " <b>"),
    "  ": (None, "  "),
    "no tag": (None, "no tag"),
    "</think>x": (None, "</think>x"),
}


def request(provider: str = "any") -> ChatRequest:
    return ChatRequest(provider=provider, model="m", messages=[], params={})


def whole(text: str, dialect: OpenAIChat = TAGGED, provider: str = "any") -> ChatCompletion:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = json.dumps({"id": "x", "model": "m", "created": 1, "choices": [choice]}).encode()
    return dialect.decode_response(body, request(provider))


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "model": "m", "created": 1, "choices": [choice]}


def stream(
    pieces: Sequence[str], dialect: OpenAIChat = TAGGED, provider: str = "any", *, finish: bool = True
) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    reducer = dialect.reducer(request(provider), max_event_bytes=1 << 20)
    events = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in pieces)]
    if finish:
        events.append(chunk({}, "stop"))
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    chunks = list(reducer.feed(data))
    return chunks, reducer.close()


@pytest.mark.parametrize("text", CASES)
def test_whole(text: str) -> None:
    message = whole(text).choices[0].message
    assert (message.reasoning, message.content) == CASES[text]


@pytest.mark.parametrize("finish", [True, False])
@pytest.mark.parametrize("text", CASES)
def test_character_by_character(text: str, finish: bool) -> None:
    """Also where the host ends the stream without a reason for it."""
    chunks, reply = stream(list(text), finish=finish)
    message = reply.choices[0].message
    assert (message.reasoning, message.content) == CASES[text]
    if finish:
        deltas = [chunk.choices[0].delta for chunk in chunks]
        assert ("".join(delta.reasoning or "" for delta in deltas) or None) == message.reasoning
        assert ("".join(delta.content or "" for delta in deltas) or None) == (message.content or None)


PIECES = ["<think>", "</think>", "<", "</", "think", ">", "\n", " ", "a", "Hm. ", "é", "<think", "</think"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.data())
def test_where_the_text_is_cut_does_not_matter(text: str, data: st.DataObject) -> None:
    """And it is what a look at the whole text says."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    tags = ThinkTags()
    fed = [*map(tags.feed, pieces), tags.close()]
    thinking, rest = ("".join(each) for each in zip(*fed, strict=True))
    found = re.match(r"[ \t\r\n]*<think>[ \t\r\n]*(.*?)[ \t\r\n]*(?:</think>[ \t\r\n]*|\Z)(.*)\Z", text, re.DOTALL)
    assert (thinking, rest) == ((found[1], found[2]) if found else ("", text))
    assert tags.found == bool(found)
    once, folded = whole(text).choices[0].message, stream([piece for piece in pieces if piece])[1].choices[0].message
    assert (once.reasoning, once.content or None) == (folded.reasoning, folded.content or None)


def test_rows_without_tags_pay_nothing() -> None:
    """Their reducer is the plain one, and their text is as it came."""
    assert type(OpenAIChat().reducer(request(), max_event_bytes=1)) is ChatStreamReducer
    assert type(TAGGED.reducer(request(), max_event_bytes=1)) is TaggedChatReducer
    message = whole("<think>a</think>b", OpenAIChat()).choices[0].message
    assert (message.reasoning, message.content) == (None, "<think>a</think>b")


def test_thinking_that_the_host_gives_by_itself_stays() -> None:
    reducer = TAGGED.reducer(request(), max_event_bytes=1 << 20)
    for event in (chunk({"reasoning_content": "Hm."}), chunk({"content": "Yes."}), chunk({}, "stop")):
        reducer.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    message = reducer.close().choices[0].message
    assert (message.reasoning, message.content) == ("Hm.", "Yes.")


TAGGING = [name for name, row in ROWS.items() if isinstance(row.chat, OpenAIChat) and row.chat.think_tags]


def test_hosts_that_are_known_to_send_tags() -> None:
    assert {"minimax", "groq", "vllm", "lmstudio", "openai-compatible"} <= set(TAGGING)


@pytest.mark.parametrize("name", TAGGING)
async def test_the_message_goes_back_as_its_host_wants_it(name: str) -> None:
    """MiniMax wants its thinking back where it was; others get the text alone."""
    text = "<think>\nHm.\n</think>\n\nYes."
    chunks = [chunk({"content": text[:5]}), chunk({"content": text[5:]}), chunk({}, "stop")]
    answer = {"id": "x", "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}
    async with Loopback() as host:
        settings = {"api_key": "k", "base_url": host.url}
        async with AsyncOneLLM(providers={name: settings, "openai": settings}) as client:
            for streams in (False, True):
                host.plays(streamed(*chunks) if streams else Answer(chunks=[answer]))
                got = await client.chat.completions.create(
                    model=f"{name}/m", messages=[{"role": "user", "content": "?"}], stream=streams
                )
                reply = got if isinstance(got, ChatCompletion) else await got.get_final_completion()
                message = reply.choices[0].message
                assert (message.reasoning, message.content) == ("Hm.", "Yes.")
                host.plays(Answer(chunks=[answer]))
                for other in (name, "openai"):
                    await client.chat.completions.create(model=f"{other}/m", messages=[message])
    chat = ROWS[name].chat
    assert isinstance(chat, OpenAIChat)
    back = [request.json["messages"][0]["content"] for request in host.requests if "messages" in request.json]
    own = text if "content" in chat.replay else "Yes."
    assert back == ["?", own, "Yes."] * 2


async def test_a_host_of_one_s_own_may_have_it_or_not() -> None:
    async with Loopback() as host:
        host.plays(
            Answer(chunks=[{"choices": [{"message": {"content": "<think>a</think>b"}, "finish_reason": "stop"}]}])
        )
        async with AsyncOneLLM() as client:
            client.register(compatible("one", host.url))
            client.register(compatible("other", host.url, chat=OpenAIChat()))
            found = [
                (await client.chat.completions.create(model=f"{name}/m", messages=[{"role": "user", "content": "?"}]))
                for name in ("one", "other")
            ]
    assert [reply.choices[0].message.content for reply in found] == ["b", "<think>a</think>b"]
