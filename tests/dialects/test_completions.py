"""Text completions without a socket: bytes in, values out."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import sse
from wire.completions import FIM_STREAM, FIM_WHOLE, STREAM, WHOLE, chunk

from onellm import (
    ContextLengthExceededError,
    InternalServerError,
    OneLLMError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.dialects.openai.fim import ChatShapedCompletions
from onellm.types.completions import Completion, CompletionRequest

OPENAI = OpenAICompletions()
FIM = ChatShapedCompletions(path="fim/completions", one_prompt=True, stream_usage=False)


def ask(prompt: Any = "Roses are red, violets are", **params: Any) -> CompletionRequest:
    return CompletionRequest(provider="here", model="davinci-002", prompt=prompt, params=params)


def fold(*pieces: bytes, dialect: OpenAICompletions = OPENAI, **params: Any) -> tuple[list[Completion], Completion]:
    """The chunks that came out, and the whole."""
    reducer = dialect.reducer(ask(**params), max_event_bytes=1 << 20)
    chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
    return chunks, reducer.close()


def plain(reply: Completion) -> dict[str, Any]:
    """An answer's own fields, without the bytes it came in."""
    return {name: msgspec.to_builtins(getattr(reply, name)) for name in ("id", "created", "model", "choices", "usage")}


@pytest.mark.parametrize(
    ("dialect", "stream", "whole"), [(OPENAI, STREAM, WHOLE), (FIM, FIM_STREAM, FIM_WHOLE)], ids=["text", "fim"]
)
class TestStream:
    def test_whole_and_byte_by_byte(self, dialect: OpenAICompletions, stream: list[Any], whole: dict[str, Any]) -> None:
        """However the bytes are cut, the folded stream is the whole answer."""
        data = b"".join(sse(*stream))
        expected = plain(dialect.decode_response(json.dumps(whole).encode(), ask()))
        at_once = fold(data, dialect=dialect)
        one_by_one = fold(*(data[place : place + 1] for place in range(len(data))), dialect=dialect)
        assert plain(at_once[1]) == plain(one_by_one[1]) == expected
        assert at_once[0] == one_by_one[0]
        assert "".join(chunk.choices[0].text for chunk in at_once[0]) == expected["choices"][0]["text"]

    @given(cuts=st.lists(st.integers(0, 2000)))
    def test_where_the_bytes_are_cut_does_not_matter(
        self, dialect: OpenAICompletions, stream: list[Any], whole: dict[str, Any], cuts: list[int]
    ) -> None:
        """Cuts inside characters, lines and events change neither the chunks nor the whole."""
        data = b"".join(sse(*stream))
        places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
        pieces = [data[start:end] for start, end in pairwise(places)]
        assert fold(*pieces, dialect=dialect) == fold(data, dialect=dialect)
        assert fold(*pieces, dialect=dialect)[1].model == whole["model"]

    def test_cut_stream_is_an_error(self, dialect: OpenAICompletions, stream: list[Any], whole: dict[str, Any]) -> None:
        """A stream that ends before its last event is no short answer."""
        with pytest.raises(StreamInterruptedError) as caught:
            fold(*sse(*stream[:-2], done=False), dialect=dialect)
        assert caught.value.provider == "here"
        assert whole["choices"]

    def test_stream_without_done_is_whole_once_all_choices_have_ended(
        self, dialect: OpenAICompletions, stream: list[Any], whole: dict[str, Any]
    ) -> None:
        """Some hosts close the connection in place of `[DONE]`."""
        assert fold(*sse(*stream, done=False), dialect=dialect)[1].model == whole["model"]

    def test_error_event_is_kept_until_the_chunks_before_it_are_read(
        self, dialect: OpenAICompletions, stream: list[Any], whole: dict[str, Any]
    ) -> None:
        """An error inside a 200 stream is the error that its status would have been, after what came before it."""
        reducer = dialect.reducer(ask(), max_event_bytes=1 << 20)
        failed = {"error": {"message": "gone", "type": "server_error", "code": None}}
        chunks = reducer.feed(b"".join(sse(stream[1], failed, stream[2])))
        assert len(chunks) == 1
        assert isinstance(reducer.error, InternalServerError)
        with pytest.raises(InternalServerError, match="gone"):
            reducer.close()
        assert whole["choices"]

    def test_what_is_no_chunk_is_an_error(
        self, dialect: OpenAICompletions, stream: list[Any], whole: dict[str, Any]
    ) -> None:
        """Nothing of msgspec's own reaches the caller."""
        with pytest.raises(ResponseDecodeError):
            fold(*sse(stream[0], b"data: {not json\n\n", whole), dialect=dialect)

    def test_event_past_the_bound_is_an_error(
        self, dialect: OpenAICompletions, stream: list[Any], whole: dict[str, Any]
    ) -> None:
        """What has no end is not collected for ever."""
        reducer = dialect.reducer(ask(), max_event_bytes=2000)
        assert reducer.feed(b"".join(sse(stream[0], done=False)) + b"data: " + b"x" * 3000)
        assert reducer.feed(b"x") == []
        with pytest.raises(ResponseDecodeError):
            reducer.close()
        assert whole["choices"]


def test_usage_is_shown_as_a_chunk_to_those_who_asked_for_it() -> None:
    """Usage is always asked for and is in the whole; the chunk that holds it alone is seen by those who asked."""
    data = b"".join(sse(*STREAM))
    unasked, asked = fold(data)[0], fold(data, stream_options={"include_usage": True})[0]
    assert len(asked) == len(unasked) + 1
    assert asked[-1].usage is not None
    assert asked[-1].usage.total_tokens == 24


def test_a_choice_that_has_not_begun_is_missed() -> None:
    """Two prompts have two answers: one that has ended is not the whole, unless `[DONE]` says so."""
    first_only = sse(chunk("a"), chunk("", finish="stop"), done=False)
    with pytest.raises(StreamInterruptedError):
        fold(*first_only, prompt=["x", "y"])
    with pytest.raises(StreamInterruptedError):
        fold(*first_only, n=2)
    assert len(fold(*first_only, prompt=[1, 2])[1].choices) == 1
    assert len(fold(*first_only, b"data: [DONE]\n\n", prompt=["x", "y"])[1].choices) == 1


def test_choices_are_folded_apart_and_sorted() -> None:
    """Pieces belong to the choice of their index."""
    second_first = {**chunk(), "choices": [{"index": 1, "text": "B", "finish_reason": "eos"}]}
    _, whole = fold(*sse(second_first, chunk("a", "b"), chunk("A", finish="stop")), n=2)
    assert [(choice.index, choice.text, choice.finish_reason) for choice in whole.choices] == [
        (0, "aA", "stop"),
        (1, "Bb", "stop"),
    ]
    assert whole.choices[1].finish_reason_raw == "eos"


def test_log_probabilities_are_joined() -> None:
    """The lists of the pieces follow one another; a list that no piece has stays absent."""

    def piece(token: str, value: float | None, finish: str | None = None) -> dict[str, Any]:
        logprobs = {"tokens": [token], "token_logprobs": [value], "top_logprobs": [None], "text_offset": None}
        return {**chunk(), "choices": [{"index": 0, "text": token, "logprobs": logprobs, "finish_reason": finish}]}

    _, whole = fold(*sse(piece("a", None), piece("b", -0.5, "stop")))
    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    assert (logprobs.tokens, logprobs.token_logprobs) == (["a", "b"], [None, -0.5])
    assert (logprobs.top_logprobs, logprobs.text_offset) == ([None, None], None)


def test_log_probabilities_of_a_chat() -> None:
    """llama.cpp's server sends them in the chat's shape, whole and in chunks; they are read as lists all the same."""

    def piece(token: str, value: float, finish: str | None = None) -> dict[str, Any]:
        top = [{"id": 1, "token": token, "bytes": [1], "logprob": value}, {"id": 2, "token": "x", "logprob": -9}]
        content = [{"id": 1, "token": token, "bytes": [1], "logprob": value, "top_logprobs": top}]
        choice = {"index": 0, "text": token, "logprobs": {"content": content}, "finish_reason": finish}
        return {**chunk(), "choices": [choice]}

    _, whole = fold(*sse(piece("a", -1), piece("b", -0.5, "stop")))
    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    assert (logprobs.tokens, logprobs.token_logprobs) == (["a", "b"], [-1.0, -0.5])
    assert logprobs.top_logprobs == [{"a": -1.0, "x": -9.0}, {"b": -0.5, "x": -9.0}]
    alone = OPENAI.decode_response(json.dumps(piece("a", -1, "stop")).encode(), ask()).choices[0].logprobs
    assert alone is not None
    assert alone.tokens == ["a"]


def test_null_between_two_answers_is_nothing() -> None:
    """llama.cpp's server sends it after each prompt but the last."""
    second = {**chunk(), "choices": [{"index": 1, "text": "B", "finish_reason": "stop"}]}
    chunks, whole = fold(*sse(chunk("A", finish="stop"), None, second), prompt=["x", "y"])
    assert [choice.text for choice in whole.choices] == ["A", "B"]
    assert len(chunks) == 2


def test_odd_fields_do_not_spoil_an_answer() -> None:
    """Null where a list or text should be, a float for an int, logprobs of another shape: what fits is kept."""
    body = {
        "id": None,
        "created": 1.5,
        "choices": [{"index": 0.0, "text": "x", "finish_reason": "", "logprobs": -0.5, "seed": 1}, {"text": None}],
        "usage": {"prompt_tokens": 3.0},
    }
    reply = OPENAI.decode_response(json.dumps(body).encode(), ask())
    assert [(choice.text, choice.finish_reason, choice.finish_reason_raw) for choice in reply.choices] == [
        ("x", None, None),
        ("", None, None),
    ]
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 3
    assert json.loads(reply.raw) == body


def test_unknown_end_is_other() -> None:
    """The provider's word stands beside the normal one."""
    body = {"choices": [{"text": "", "finish_reason": "tired"}]}
    choice = OPENAI.decode_response(json.dumps(body).encode(), ask()).choices[0]
    assert (choice.finish_reason, choice.finish_reason_raw) == ("other", "tired")


@pytest.mark.parametrize("body", [b"[]", b"<html>", b"{}", b'{"object": "list", "data": []}'])
def test_what_is_no_completion_is_an_error(body: bytes) -> None:
    """Another answer is not taken for an empty one."""
    with pytest.raises(ResponseDecodeError):
        OPENAI.decode_response(body, ask())


def test_error_in_a_200_is_an_error() -> None:
    """A body that is an error is one, whatever its status."""
    body = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    for dialect in (OPENAI, FIM):
        with pytest.raises(ContextLengthExceededError):
            dialect.decode_response(json.dumps(body).encode(), ask())


def test_the_word_error_in_a_text_is_none() -> None:
    """Only a field of that name is an error."""
    body = {"choices": [{"text": 'say "error" aloud', "finish_reason": "stop"}], "error": None}
    assert OPENAI.decode_response(json.dumps(body).encode(), ask()).choices[0].text == 'say "error" aloud'


def test_fim_answer_keeps_what_came() -> None:
    """The chat that a FIM answer is stays in `raw` and `to_dict()`; what it lacks is empty."""
    body = {**FIM_WHOLE, "choices": [{"index": 0, "message": {"content": None}, "finish_reason": "model_length"}]}
    reply = FIM.decode_response(json.dumps(body).encode(), ask())
    assert (reply.choices[0].text, reply.choices[0].finish_reason) == ("", "length")
    assert reply.object == "text_completion"
    assert reply.to_dict()["choices"][0]["message"] == {"content": None}


# --- requests ---


def sent(dialect: OpenAICompletions, request: CompletionRequest, *, stream: bool = False) -> Any:
    encoded = dialect.encode_stream(request) if stream else dialect.encode_request(request)
    assert encoded.body is not None
    return json.loads(encoded.body)


def test_arguments_are_sent_as_given() -> None:
    """Names and values are OpenAI's; a host's own fields go in through extra_body, which wins."""
    request = ask("def f(", suffix="return 1", max_tokens=5, logprobs=2, stop=["\n"])
    request.extra_body = {"min_p": 0.1, "max_tokens": 6}
    assert sent(OPENAI, request) == {
        "model": "davinci-002",
        "prompt": "def f(",
        "suffix": "return 1",
        "max_tokens": 6,
        "logprobs": 2,
        "stop": ["\n"],
        "min_p": 0.1,
    }


def test_stream_asks_for_usage_where_the_host_must_be_asked() -> None:
    """What the caller says of stream_options stands."""
    assert sent(OPENAI, ask(), stream=True)["stream_options"] == {"include_usage": True}
    own = ask(stream_options={"include_usage": False})
    assert sent(OPENAI, own, stream=True)["stream_options"] == {"include_usage": False}
    assert sent(FIM, ask(), stream=True) == {
        "model": "davinci-002",
        "prompt": "Roses are red, violets are",
        "stream": True,
    }


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1], [2]], None, []])
def test_host_of_one_text_refuses_others(prompt: Any) -> None:
    """A list of several texts, token ids and no prompt cannot be sent, whatever on_unsupported says."""
    request = ask(prompt)
    request.on_unsupported = "drop"
    with pytest.raises(UnsupportedParameterError) as caught:
        FIM.encode_request(request)
    assert caught.value.param == "prompt"
    assert isinstance(caught.value, OneLLMError)


def test_host_of_one_text_takes_a_list_of_one() -> None:
    """One text is one text, in a list or not."""
    assert sent(FIM, ask(["a"]))["prompt"] == "a"


def test_refused_and_renamed_arguments() -> None:
    """What a host lacks raises, or is left out and noted; what it calls otherwise is renamed and noted."""
    dialect = OpenAICompletions(refuses={"best_of": "its API does not have it"}, renames={"seed": "random_seed"})
    with pytest.raises(UnsupportedParameterError, match="best_of"):
        dialect.encode_request(ask(best_of=2))
    request = ask(best_of=2, seed=1)
    request.on_unsupported = "drop"
    assert sent(dialect, request) == {
        "model": "davinci-002",
        "prompt": "Roses are red, violets are",
        "random_seed": 1,
    }
    assert request.adjustments == ["left out best_of: its API does not have it", "sent seed as random_seed"]
