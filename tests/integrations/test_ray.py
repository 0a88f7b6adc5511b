"""Steps of Ray's datasets: what they make of a batch, and the example on a cluster of this machine."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ROOT, require, run_python
from loopback import Answer, Recorded
from openai_host import openai_host
from threaded import Provider

from onellm import BadRequestError, InvalidRequestError, MissingDependencyError, ResponseDecodeError
from onellm.integrations.ray import ChatBatch, EmbedBatch


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    made.loopback.chooses(openai_host)
    yield made
    made.close()


@pytest.fixture
def settings(provider: Provider) -> dict[str, Any]:
    """Of a client, as they travel to an actor."""
    return {"api_key": "k", "base_url": f"{provider.loopback.url}/v1", "max_retries": 0}


def refuses_bb(request: Recorded) -> Answer:
    return Answer(status=400) if b'"bb"' in request.body else openai_host(request)


def test_a_batch_gets_its_vectors(provider: Provider, settings: dict[str, Any]) -> None:
    """Beside the columns that it has; the arguments are those of the stream."""
    step = EmbedBatch(model="openai/e", column="body", into="vector", client=settings, batch_size=2, dimensions=5)
    batch = {"body": np.array(["a", "bb", "ccc"], dtype=object), "id": np.array([7, 8, 9])}
    found = step(batch)
    assert sorted(found) == ["body", "id", "vector"]
    assert found["vector"].dtype == np.dtype(np.float32)
    assert found["vector"].shape == (3, 5)
    assert found["vector"][:, 0].tolist() == [1, 2, 3]
    assert found["id"].tolist() == [7, 8, 9]
    sent = sorted((request.json["input"], request.json["dimensions"]) for request in provider.loopback.requests)
    assert sent == [(["a", "bb"], 5), (["ccc"], 5)]


def test_a_text_that_fails(provider: Provider, settings: dict[str, Any]) -> None:
    """It fails the task; or its row is of NaN, and says why."""
    provider.loopback.chooses(refuses_bb)
    batch = {"text": np.array(["a", "bb", "ccc"])}
    with pytest.raises(BadRequestError, match=r"inputs\[1\]: "):
        EmbedBatch(model="openai/e", client=settings)(batch)
    found = EmbedBatch(model="openai/e", client=settings, on_error="skip")(batch)
    assert np.isnan(found["embedding"][1]).all()
    assert found["embedding"][[0, 2], 0].tolist() == [1, 3]
    assert [error is None for error in found["embedding_error"]] == [True, False, True]
    with pytest.raises(ResponseDecodeError, match="no text of the batch was embedded"):
        EmbedBatch(model="openai/e", client=settings, on_error="skip")({"text": np.array(["bb"])})


def test_a_batch_gets_its_answers(provider: Provider, settings: dict[str, Any]) -> None:
    """To prompts, with a system message where there is one, and to lists of messages."""
    step = ChatBatch(model="openai/m", system="Be brief.", client=settings, temperature=0)
    found = step({"prompt": np.array(["one", "two"])})
    assert found["answer"].tolist() == ["You said: one", "You said: two"]
    assert found["answer_tokens"].dtype == np.int64
    bodies = [request.json for request in provider.loopback.requests]
    assert {(len(body["messages"]), body["temperature"]) for body in bodies} == {(2, 0)}
    messages = np.empty(1, dtype=object)
    messages[0] = np.array([{"role": "user", "content": "three"}], dtype=object)
    assert step({"prompt": messages})["answer"].tolist() == ["You said: three"]
    assert len(provider.loopback.requests[-1].json["messages"]) == 1


def test_a_prompt_that_fails(provider: Provider, settings: dict[str, Any]) -> None:
    provider.loopback.chooses(refuses_bb)
    batch = {"prompt": np.array(["a", "bb"])}
    with pytest.raises(BadRequestError, match=r"requests\[1\]: "):
        ChatBatch(model="openai/m", client=settings)(batch)
    found = ChatBatch(model="openai/m", client=settings, on_error="skip")(batch)
    assert found["answer"].tolist() == ["You said: a", None]
    assert [error is None for error in found["answer_error"]] == [True, False]


def test_a_column_that_is_not_there_is_named(settings: dict[str, Any]) -> None:
    for step in (EmbedBatch(model="openai/e", client=settings), ChatBatch(model="openai/e", client=settings)):
        with pytest.raises(InvalidRequestError, match=r"has no column '(text|prompt)', but body"):
            step({"body": np.array(["a"])})


def test_without_numpy_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    with pytest.raises(MissingDependencyError, match=r"onellm\[ray\]"):
        EmbedBatch(model="openai/e")


async def test_the_example_runs_on_a_cluster_of_this_machine(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two actors embed a Parquet file into others. What Ray says of itself goes to standard error."""
    require("ray", "pyarrow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.loopback.url}/v1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    ran = await run_python(str(ROOT / "examples" / "cluster" / "ray_embeddings.py"))
    assert ran.code == 0, ran.err
    assert "0 You said: Document number 0\n1 You said: Document number 1\n" in ran.out
    assert "2000 rows, ['embedding', 'id', 'text']\n" in ran.out
    texts = [text for request in provider.loopback.requests for text in request.json.get("input", ())]
    assert sorted(texts) == sorted(f"Document number {number}" for number in range(2000))
