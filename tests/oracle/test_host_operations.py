"""What hosts' own packages send for text completions, rerankings and moderations, and what we send for the same call.

The packages are the extra `oracle`. A difference that is meant stands in the table with its reason; any other fails.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from typing import Any

import pytest
from loopback import Answer, Loopback, streamed
from served import client_for
from wire.completions import FIM_STREAM, FIM_WHOLE, WHOLE
from wire.moderations import MISTRAL
from wire.ocr import CALL as READ
from wire.ocr import WHOLE as PAGES
from wire.rerank import ANSWERS, DOCUMENTS, QUERY

Caller = Callable[[Any, str, dict[str, Any]], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One operation of one host. differences: top-level fields that differ, each with the reason."""

    package: str
    theirs: Caller
    ours: str
    call: dict[str, Any]
    answer: Any
    base: str = "/v1"
    differences: dict[str, str] = field(default_factory=dict)


def _stainless(client: str, operation: str, **options: Any) -> Caller:
    """Clients that are generated as `openai`'s is."""

    async def call(package: Any, url: str, given: dict[str, Any]) -> object:
        async with getattr(package, client)(api_key="k", base_url=url, max_retries=0, **options) as made:
            return await getattr(made, operation).create(model="m", **given)

    return call


async def _mistral_fim(package: Any, url: str, given: dict[str, Any]) -> object:
    renamed = {"random_seed" if name == "seed" else name: value for name, value in given.items()}
    renamed |= renamed.pop("extra_body", {})
    async with package.Mistral(api_key="k", server_url=url) as client:
        return await client.fim.complete_async(model="m", **renamed)


async def _mistral_fim_stream(package: Any, url: str, given: dict[str, Any]) -> object:
    plain = {name: value for name, value in given.items() if name != "stream"}
    async with package.Mistral(api_key="k", server_url=url) as client:
        return await client.fim.stream_async(model="m", **plain)


async def _mistral_moderation(package: Any, url: str, given: dict[str, Any]) -> object:
    async with package.Mistral(api_key="k", server_url=url) as client:
        return await client.classifiers.moderate_async(model="m", inputs=given["input"])


async def _mistral_chat_moderation(package: Any, url: str, given: dict[str, Any]) -> object:
    async with package.Mistral(api_key="k", server_url=url) as client:
        return await client.classifiers.moderate_chat_async(model="m", inputs=given["input"])


async def _mistral_embeddings(package: Any, url: str, given: dict[str, Any]) -> object:
    plain = {"output_dimension" if name == "dimensions" else name: value for name, value in given.items()}
    plain |= plain.pop("extra_body", {})
    async with package.Mistral(api_key="k", server_url=url) as client:
        return await client.embeddings.create_async(model="m", inputs=plain.pop("input"), **plain)


async def _mistral_speech(package: Any, url: str, given: dict[str, Any]) -> object:
    renamed = {"voice_id" if name == "voice" else name: value for name, value in given.items()}
    async with package.Mistral(api_key="k", server_url=url) as client:
        return await client.audio.speech.complete_async(model="m", **renamed)


async def _mistral_ocr(package: Any, url: str, given: dict[str, Any]) -> object:
    async with package.Mistral(api_key="k", server_url=url) as client:
        return await client.ocr.process_async(model="m", **given)


# With what the package sends by itself, `prefix` and `index`; what the caller's messages have goes out here, too.
TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "a text"}]},
    {
        "role": "assistant",
        "content": "",
        "prefix": False,
        "tool_calls": [
            {"id": "abcdefgh1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "index": 0}
        ],
    },
    {"role": "tool", "tool_call_id": "abcdefgh1", "content": "found"},
]
VECTORS = {
    "id": "e",
    "object": "list",
    "model": "m",
    "data": [{"object": "embedding", "index": index, "embedding": [1.0, 2.0]} for index in range(2)],
    "usage": {"prompt_tokens": 2, "completion_tokens": 0, "total_tokens": 2},
}
TEXT = {"prompt": "def f(", "max_tokens": 16, "stop": ["\n"], "temperature": 0.5}
FILL = {**TEXT, "suffix": "return 1", "seed": 7, "top_p": 0.9}
RANK = {"query": QUERY, "documents": DOCUMENTS, "top_n": 2}

FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True}}
READ_ALL: dict[str, Any] = {
    "document": {"type": "file", "file_id": "7b3f3c1e-0d3c-4c58-a0c5-0a5c5a3b9b10"},
    "pages": "0,2-4",
    "include_image_base64": True,
    "image_limit": 2,
    "image_min_size": 10,
    "bbox_annotation_format": FORM,
    "document_annotation_format": FORM,
    "document_annotation_prompt": "Say what it is about.",
    "table_format": "html",
    "extract_header": True,
    "extract_footer": False,
    "confidence_scores_granularity": "page",
}

CASES = {
    "together completions": Case(
        package="together",
        theirs=_stainless("AsyncTogether", "completions"),
        ours="completions",
        call=TEXT,
        answer=WHOLE,
    ),
    "together rerank": Case(
        package="together",
        theirs=_stainless("AsyncTogether", "rerank"),
        ours="rerank",
        call=RANK,
        answer=ANSWERS["cohere-like"],
    ),
    "fireworks completions": Case(
        package="fireworks",
        theirs=_stainless("AsyncFireworks", "completions"),
        ours="completions",
        call=TEXT,
        answer=WHOLE,
    ),
    "cerebras completions": Case(
        package="cerebras.cloud.sdk",
        theirs=_stainless("AsyncCerebras", "completions", warm_tcp_connection=False),
        ours="completions",
        call=TEXT,
        answer=WHOLE,
    ),
    "sambanova completions": Case(
        package="sambanova",
        theirs=_stainless("AsyncSambaNova", "completions"),
        ours="completions",
        call=TEXT,
        answer=WHOLE,
        base="",
    ),
    "mistral completions": Case(
        package="mistralai.client",
        theirs=_mistral_fim,
        ours="completions",
        call=FILL,
        answer=FIM_WHOLE,
        differences={"stream": "the package says false where it does not stream; leaving it out is the same"},
    ),
    "mistral completions, streamed": Case(
        package="mistralai.client",
        theirs=_mistral_fim_stream,
        ours="completions",
        call={"prompt": "def f(", "suffix": "return 1", "max_tokens": 16, "stream": True},
        answer=streamed(*FIM_STREAM),
    ),
    "mistral completions, all of it": Case(
        package="mistralai.client",
        theirs=_mistral_fim,
        ours="completions",
        call={**FILL, "extra_body": {"min_tokens": 2, "metadata": {"a": "b"}, "prompt_cache_key": "x"}},
        answer=FIM_WHOLE,
        differences={"stream": "the package says false where it does not stream; leaving it out is the same"},
    ),
    "mistral moderations": Case(
        package="mistralai.client",
        theirs=_mistral_moderation,
        ours="moderations",
        call={"input": ["a text"]},
        answer=MISTRAL,
    ),
    "mistral chat moderations": Case(
        package="mistralai.client",
        theirs=_mistral_chat_moderation,
        ours="moderations",
        call={"input": TALK},
        answer=MISTRAL,
    ),
    "mistral chats moderations": Case(
        package="mistralai.client",
        theirs=_mistral_chat_moderation,
        ours="moderations",
        call={"input": [TALK, TALK[:2]]},
        answer={**MISTRAL, "results": MISTRAL["results"] * 2},
    ),
    "mistral embeddings": Case(
        package="mistralai.client",
        theirs=_mistral_embeddings,
        ours="embeddings",
        call={"input": ["a", "b"], "dimensions": 2, "extra_body": {"output_dtype": "float", "metadata": {"a": "b"}}},
        answer=VECTORS,
    ),
    "mistral speech": Case(
        package="mistralai.client",
        theirs=_mistral_speech,
        ours="audio.speech",
        call={"input": "Hello", "voice": "marie", "response_format": "wav"},
        answer={"audio_data": "UklGRg=="},
        differences={"stream": "the package says false where it does not stream; leaving it out is the same"},
    ),
    "mistral ocr": Case(
        package="mistralai.client",
        theirs=_mistral_ocr,
        ours="ocr",
        call=READ,
        answer=PAGES,
        differences={"include_blocks": "the package sends its default, true; leaving it out is the host's own"},
    ),
    "mistral ocr, all of it": Case(
        package="mistralai.client",
        theirs=_mistral_ocr,
        ours="ocr",
        call=READ_ALL,
        answer=PAGES,
        differences={"include_blocks": "the package sends its default, true; leaving it out is the host's own"},
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
async def test_we_send_what_the_hosts_package_sends(name: str) -> None:
    """The path, the key and the body."""
    case = CASES[name]
    host = name.partition(" ")[0]
    try:
        package = import_module(case.package)
    except ImportError:
        pytest.skip(f"needs the package {case.package} (extra: oracle)")
    async with Loopback() as server:
        server.plays(case.answer if isinstance(case.answer, Answer) else Answer(chunks=[case.answer]))
        await case.theirs(package, server.url, case.call)
        async with client_for(host, server, base=case.base) as client:
            made = await attrgetter(case.ours)(client).create(model=f"{host}/m", **case.call)
            if case.call.get("stream"):
                await made.aclose()
        theirs, ours = server.requests
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert {key: value for key, value in ours.json.items() if key not in case.differences} == {
        key: value for key, value in theirs.json.items() if key not in case.differences
    }
