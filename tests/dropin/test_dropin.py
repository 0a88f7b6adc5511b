"""A script written for `openai` runs here after its imports and its model names were changed, and prints the same."""

import difflib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Recorded, sse, type_sse
from openai_host import chat_answer, openai_host
from threaded import SECONDS, Provider

HERE = Path(__file__).parent
THEIRS, OURS = HERE / "with_openai.py", HERE / "with_onellm.py"
IMPORT = re.compile(r"(import|from) (openai|onellm)\b")
MODEL = re.compile(r'[A-Z]+ = "(openai/)?([\w.-]+)"')

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "gpt-limited": (
        429,
        {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"},
    ),
    "gpt-poor": (
        429,
        {
            "message": "You exceeded your quota",
            "type": "insufficient_quota",
            "param": None,
            "code": "insufficient_quota",
        },
    ),
    "gpt-none": (
        404,
        {"message": "No such model", "type": "invalid_request_error", "param": "model", "code": "model_not_found"},
    ),
}


def play(request: Recorded) -> Answer:
    """The small host's answers, and beside them tools, refusals, formats and a single model."""
    path = request.path.removeprefix("/v1/")
    if path == "chat/completions":
        return _chat(request.json)
    if path == "audio/transcriptions" and b"response_format" in request.body:
        return Answer(chunks=[b"Hello there.\n"], content_type="text/plain")
    if path == "images/edits":
        return Answer(chunks=[{"created": 1, "data": [{"b64_json": "AA=="}]}])
    if path == "models/gpt-5.4-mini":
        return Answer(chunks=[{"id": "gpt-5.4-mini", "object": "model", "created": 1, "owned_by": "openai"}])
    return openai_host(request)


def _chat(body: dict[str, Any]) -> Answer:
    if body["model"] in REFUSALS:
        status, error = REFUSALS[body["model"]]
        headers = {"x-request-id": "req_1", "Retry-After": "7"}
        return Answer(status=status, chunks=[{"error": error}], headers=headers)
    if "tools" in body and body["messages"][-1]["role"] == "user":
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return Answer(
            chunks=[{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}]
        )
    answer = chat_answer(body)
    if body.get("stream") and body.get("stream_options", {}).get("include_usage"):
        usage = {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
        last = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage}
        return Answer(chunks=[*list(answer.chunks)[:-1], *sse(last)], content_type=type_sse)
    return answer


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    made.loopback.chooses(play)
    yield made
    made.close()


def run(script: Path, provider: Provider) -> str:
    """What a script prints, with the server as its provider."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{provider.loopback.url}/v1"}
    environment |= {"PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "ignore:deprecated", str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_only_imports_and_model_names_differ() -> None:
    """Each changed line is an import of either package, or a model with and without its provider."""
    theirs, ours = (script.read_text(encoding="utf-8").splitlines() for script in (THEIRS, OURS))
    changed = [line for line in difflib.ndiff(theirs, ours) if line[0] in "+-"]
    models = [(line[0], found) for line in changed if (found := MODEL.fullmatch(line[2:]))]
    assert {found[2] for sign, found in models if sign == "-"} == {found[2] for sign, found in models if sign == "+"}
    assert all((sign == "+") == (found[1] == "openai/") for sign, found in models)
    assert [line for line in changed if not MODEL.fullmatch(line[2:]) and not IMPORT.match(line[2:])] == []


def test_both_print_the_same(provider: Provider) -> None:
    """Chat, streams, tools, embeddings, images, audio, files, batches and errors; and the calls made are the same."""
    expected = run(THEIRS, provider)
    made = [(request.method, request.target) for request in provider.loopback.requests]
    assert run(OURS, provider) == expected
    assert "rate_limit_exceeded" in expected
    assert "no connection" in expected
    assert [(request.method, request.target) for request in provider.loopback.requests[len(made) :]] == made
