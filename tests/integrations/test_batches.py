"""`EmbedBatch` and `ChatBatch` by themselves: batches of each format in, the same format out, what was sent between."""

import asyncio
import json
import pickle
import re
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from command_line import require
from loopback import Answer, Recorded
from openai_host import openai_host
from threaded import Provider

from onellm import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidRequestError,
    Limits,
    MissingDependencyError,
    RedisLimits,
    Secret,
)
from onellm.integrations.ray import ChatBatch, ClientOptions, EmbedBatch

Columns = Mapping[str, list[Any]]


def arrow(columns: Columns) -> Any:
    return import_module("pyarrow").table(dict(columns))


def arrays(columns: Columns) -> dict[str, Any]:
    return {name: column_of(values) for name, values in columns.items()}


def column_of(values: list[Any]) -> Any:
    """An array of objects, whatever they are."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def frame(columns: Columns) -> Any:
    return import_module("pandas").DataFrame(dict(columns), index=range(7, 7 + len(next(iter(columns.values())))))


def lists(batch: Any) -> dict[str, list[Any]]:
    """A batch's columns as lists of Python's own values."""
    if isinstance(batch, dict):
        return {name: column.tolist() for name, column in batch.items()}
    table = batch.to_pydict() if hasattr(batch, "to_pydict") else batch.to_dict("list")
    return {name: [value.tolist() if hasattr(value, "tolist") else value for value in table[name]] for name in table}


FORMATS = {"pyarrow": arrow, "numpy": arrays, "pandas": frame}


@pytest.fixture(params=FORMATS)
def made(request: pytest.FixtureRequest) -> Callable[[Columns], Any]:
    """Makes a batch of each format."""
    require(request.param)
    return FORMATS[request.param]


def vector(text: str) -> list[float]:
    """The host's vector of a text."""
    return [float(len(text)), 0.5, -0.25, 0.125, 1.0]


def refuses(*words: str) -> Callable[[Recorded], Answer]:
    """A host that refuses requests in which a word is."""

    def answer(request: Recorded) -> Answer:
        if any(word.encode() in request.body for word in words):
            return Answer(status=400, chunks=[{"error": {"message": "not that", "type": "invalid_request_error"}}])
        return openai_host(request)

    return answer


def test_vectors_in_the_format_of_the_batch(
    made: Callable[[Columns], Any], here: ClientOptions, provider: Provider
) -> None:
    """Beside the columns that were there, in their order."""
    texts = ["a", "bb", "a", "dddd"]
    batch = made({"id": [5, 6, 7, 8], "text": texts})
    with EmbedBatch("openai/m", client=here) as embed:
        done = embed(batch)
    assert type(done) is type(batch)
    assert lists(done) == {"id": [5, 6, 7, 8], "text": texts, "embedding": [vector(text) for text in texts]}
    assert lists(batch) == {"id": [5, 6, 7, 8], "text": texts}
    (request,) = provider.loopback.requests
    assert (request.json["model"], request.json["input"]) == ("m", ["a", "bb", "dddd"])
    assert request.headers["authorization"] == "Bearer sk-1"


def test_a_failed_input_leaves_a_gap(made: Callable[[Columns], Any], here: ClientOptions, provider: Provider) -> None:
    """With what is wrong beside it; inputs that are missing or empty are not sent."""
    provider.loopback.chooses(refuses("bad"))
    batch = made({"body": ["a", None, "bad", "", "bb"]})
    with EmbedBatch(
        "openai/m", input_column="body", output_column="v", error_column="why", on_error="null", client=here
    ) as embed:
        done = embed(batch)
    found = lists(done)
    nothing = [float("nan")] * 5 if isinstance(done, dict) else None
    np.testing.assert_equal(found["v"], [vector("a"), nothing, nothing, nothing, vector("bb")])
    errors = [re.sub(r".*: ", "", error) if error else None for error in found["why"]]
    assert [error and error.split(" (")[0] for error in errors] == [
        None,
        "an input is a text or a list of token ids, not NoneType",
        "not that",
        "the text is empty",
        None,
    ]
    sent = [text for request in provider.loopback.requests for text in request.json["input"]]
    assert set(sent) == {"a", "bad", "bb"}


def test_arrow_vectors_are_of_one_size_over_one_buffer(here: ClientOptions) -> None:
    """float32 lists of a fixed size: no object is made of a number; and a column of that name is replaced."""
    require("pyarrow")
    pa = import_module("pyarrow")
    with EmbedBatch("openai/m", output_column="old", on_error="null", client=here) as embed:
        done = embed(arrow({"old": [1, 2], "text": ["a", "bb"]}))
        gaps = embed(arrow({"old": [1, 2], "text": ["a", None]}))
    assert done.schema.names == ["old", "text", "error"]
    assert done.schema.field("old").type == pa.list_(pa.float32(), 5)
    assert done.column("old").combine_chunks().flatten().to_pylist() == [*vector("a"), *vector("bb")]
    assert gaps.schema == done.schema


def test_where_all_failed_the_length_is_that_of_earlier_batches(here: ClientOptions) -> None:
    """Or of the argument; where nothing tells it, the column is of nulls."""
    require("pyarrow")
    pa = import_module("pyarrow")
    empty = arrow({"text": [""]})
    with EmbedBatch("openai/m", on_error="null", client=here) as embed:
        assert embed(empty).schema.field("embedding").type == pa.null()
        embed(arrow({"text": ["a"]}))
        later = embed(empty)
    assert later.schema.field("embedding").type == pa.list_(pa.float32(), 5)
    assert later["embedding"].to_pylist() == [None]
    with EmbedBatch("openai/m", on_error="null", dimensions=3, client=here) as embed:
        assert embed(empty).schema.field("embedding").type == pa.list_(pa.float32(), 3)


def test_an_empty_batch_sends_nothing(here: ClientOptions, provider: Provider) -> None:
    """One of Ray's without columns, too."""
    with EmbedBatch("openai/m", dimensions=2, client=here) as embed:
        assert embed({}) == {}
        assert embed(arrays({"text": []}))["embedding"].tolist() == []
    assert provider.loopback.requests == []


def test_token_ids_and_arguments_of_the_call(here: ClientOptions, provider: Provider) -> None:
    with EmbedBatch("openai/m", request_size=2, dimensions=5, user="u", client=here) as embed:
        done = embed({"text": column_of([np.array([1, 2]), [3], (4, 5)])})
    assert done["embedding"].shape == (3, 5)
    assert sorted(request.json["input"] for request in provider.loopback.requests) == [[[1, 2], [3]], [[4, 5]]]
    assert {(request.json["dimensions"], request.json["user"]) for request in provider.loopback.requests} == {(5, "u")}


def test_a_failure_is_raised_with_its_place(here: ClientOptions, provider: Provider) -> None:
    """Unless nulls are asked for; and what no input could change is raised even then."""
    provider.loopback.chooses(refuses("bad"))
    with EmbedBatch("openai/m", client=here) as embed, pytest.raises(BadRequestError, match=r"inputs\[1\]: not that"):
        embed(arrays({"text": ["a", "bad"]}))
    provider.loopback.plays(Answer(status=401, chunks=[{"error": {"message": "no such key"}}]))
    with (
        EmbedBatch("openai/m", on_error="null", client=here) as embed,
        pytest.raises(AuthenticationError, match="no such key"),
    ):
        embed(arrays({"text": ["a"]}))


def test_threads_share_one_object(here: ClientOptions, provider: Provider) -> None:
    """As Ray's actors do that run several calls at once; requests of all of them are under way together."""
    both = threading.Barrier(2)

    def meets(request: Recorded) -> Answer:
        return Answer(chunks=openai_host(request).chunks, pause={0: wait})

    async def wait() -> None:
        await asyncio.to_thread(both.wait, 20)

    provider.loopback.chooses(meets)
    with EmbedBatch("openai/m", client=here) as embed, ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda text: embed(arrays({"text": [text]})), ["a", "bb"]))
    assert [batch["embedding"].tolist() for batch in done] == [[vector("a")], [vector("bb")]]


# --- chats ---


def test_answers_in_the_format_of_the_batch(
    made: Callable[[Columns], Any], here: ClientOptions, provider: Provider
) -> None:
    batch = made({"prompt": ["one", None, "three"]})
    with ChatBatch(
        "openai/m",
        system="Count.",
        on_error="null",
        finish_reason_column="reason",
        response_column="whole",
        usage_columns=True,
        temperature=0,
        client=here,
    ) as chat:
        done = chat(batch)
    assert type(done) is type(batch)
    found = lists(done)
    assert found["answer"] == ["You said: one", None, "You said: three"]
    assert found["reason"] == ["stop", None, "stop"]
    counts = [None if count is None or str(count) == "<NA>" else count for count in found["completion_tokens"]]
    assert counts == [3, None, 3]
    assert [error is None for error in found["error"]] == [True, False, True]
    assert json.loads(found["whole"][0])["choices"][0]["message"]["content"] == "You said: one"
    sent = sorted(request.json["messages"][1]["content"] for request in provider.loopback.requests)
    assert sent == ["one", "three"]
    for request in provider.loopback.requests:
        assert request.json["messages"][0] == {"role": "system", "content": "Count."}
        assert request.json["temperature"] == 0


def test_conversations_as_lists_and_as_json(
    made: Callable[[Columns], Any], here: ClientOptions, provider: Provider
) -> None:
    """Fields that a column has for the sake of other rows are left out of a message."""
    said = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "1", "name": "x"}]
    asked = [*said, {"role": "user", "content": "two", "name": None}]
    with ChatBatch("openai/m", messages_column="talk", client=here) as chat:
        done = lists(chat(made({"talk": [asked]})))
        assert lists(chat(made({"talk": [json.dumps(asked[:1])]})))["answer"] == ["You said: one"]
    assert done["answer"] == ["You said: two"]
    assert set(done) == {"talk", "answer"}
    assert provider.loopback.requests[0].json["messages"] == [*said, {"role": "user", "content": "two"}]


def test_what_is_no_conversation_has_an_error(here: ClientOptions, provider: Provider) -> None:
    with ChatBatch("openai/m", messages_column="talk", on_error="null", client=here) as chat:
        done = chat(arrays({"talk": ["[{", 7]}))
    assert done["answer"].tolist() == [None, None]
    assert all("a request is a prompt, a list of messages or a dict" in error for error in done["error"])
    with ChatBatch("openai/m", client=here) as chat, pytest.raises(InvalidRequestError, match=r"requests\[0\]"):
        chat(arrays({"prompt": [None]}))
    assert provider.loopback.requests == []


# --- how they travel ---


def test_a_copy_is_pickled_with_its_settings(here: ClientOptions, provider: Provider) -> None:
    """And makes a client of its own."""
    limits = Limits(requests_per_minute=6000)
    with EmbedBatch("openai/m", request_size=1, limits=limits, client=here) as embed:
        copy = pickle.loads(pickle.dumps(embed))  # noqa: S301 - our own bytes
    with copy:
        assert copy(arrays({"text": ["a", "bb"]}))["embedding"].tolist() == [vector("a"), vector("bb")]
    assert [request.json["input"] for request in provider.loopback.requests] == [["a"], ["bb"]]


def test_a_key_of_the_environment_is_not_in_the_pickle(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    with EmbedBatch("openai/m", client={"base_url": f"{provider.loopback.url}/v1"}) as embed:
        embed(arrays({"text": ["a"]}))
        assert b"sk-environment" not in pickle.dumps(embed)
    assert provider.loopback.requests[0].headers["authorization"] == "Bearer sk-environment"


def test_secrets_are_not_shown(provider: Provider) -> None:
    """Neither in the arguments, of which Ray shows the `str`, nor by the object; they go where they belong."""
    client: ClientOptions = {
        "default_headers": {"X-Team": Secret("s-1")},
        "providers": {"groq": {"api_key": Secret("gsk-1"), "base_url": f"{provider.loopback.url}/v1"}},
        "default_provider": "groq",
    }
    limits = Limits(shared=RedisLimits(url="redis://:s-2@127.0.0.1:1/0"))
    shown = f"{client} {limits}"
    assert not re.search("s-1|gsk-1|s-2", shown)
    with EmbedBatch("groq/m", client=client) as embed:
        assert repr(embed) == "EmbedBatch('groq/m')"
        with pytest.raises(Exception, match="embeddings"):  # groq has none: what was sent is read from a chat
            embed(arrays({"text": ["a"]}))
    with ChatBatch("groq/m", client=client) as chat:
        chat(arrays({"prompt": ["a"]}))
    (request,) = provider.loopback.requests
    assert (request.headers["authorization"], request.headers["x-team"]) == ("Bearer gsk-1", "s-1")


@pytest.mark.parametrize(
    "client",
    [
        {"api_key": "sk-1"},
        {"providers": {"openai": {"api_key": "sk-1"}}},
        {"providers": {"openai": {"api_keys": ["sk-1", "sk-2"]}}},
    ],
)
def test_a_key_in_the_clear_is_refused(client: Any) -> None:
    """It would stand among the arguments that Ray shows."""
    with pytest.raises(ConfigurationError, match=r"which Ray shows: give Secret\(key\)") as caught:
        EmbedBatch("openai/m", client=client)
    assert "sk-1" not in str(caught.value)


# --- what is wrong with a call ---


def test_a_column_that_is_not_there_is_named(made: Callable[[Columns], Any], here: ClientOptions) -> None:
    batch = made({"body": ["a"]})
    with (
        EmbedBatch("openai/m", client=here) as embed,
        pytest.raises(InvalidRequestError, match="no column 'text', but 'body': name it with input_column"),
    ):
        embed(batch)
    with (
        ChatBatch("openai/m", messages_column="talk", client=here) as chat,
        pytest.raises(InvalidRequestError, match="no column 'talk', but 'body': name it with messages_column"),
    ):
        chat(batch)


def test_a_batch_of_another_kind_is_refused(here: ClientOptions) -> None:
    with (
        EmbedBatch("openai/m", client=here) as embed,
        pytest.raises(InvalidRequestError, match=r"a batch is an Arrow table, .* not builtins\.list"),
    ):
        embed(["a"])


def test_on_error_is_checked(here: ClientOptions) -> None:
    wrong: Any = "skip"
    with pytest.raises(InvalidRequestError, match='on_error is "raise" or "null"'):
        EmbedBatch("openai/m", on_error=wrong, client=here)


def test_without_numpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "onellm\[ray\]"'):
        EmbedBatch("openai/m")
