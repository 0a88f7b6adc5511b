"""What google-genai sends, and what we send for the same call: captured by one server, compared.

The package is a tool of the tests only. A difference that is meant stands in the table with its reason.
"""

import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, type_sse
from wire import gemini

from onellm import AsyncOneLLM, GoogleOptions
from onellm.dialects.gemini.contents import NO_SIGNATURE
from onellm.types.chat import ChatCompletion
from onellm.types.google import SafetySetting

genai: Any = pytest.importorskip("google.genai")
types: Any = pytest.importorskip("google.genai.types")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the package's own, of aiohttp
    pytest.mark.filterwarnings("ignore:The generate_images method is deprecated"),
]

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
PDF = base64.b64encode(b"%PDF-1.7").decode()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": SCHEMA}}
DECLARED = {"name": "weather", "description": "Weather", "parameters_json_schema": SCHEMA}
ASK = {"role": "user", "content": "Weather in Paris and Rome?"}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def calls(*cities: str) -> dict[str, Any]:
    """The model's turn with a call for each city, ids c0, c1, …"""
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"c{at}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city":"{city}"}}'}}
            for at, city in enumerate(cities)
        ],
    }


def called(*cities: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        {"function_call": {"id": f"c{at}", "name": "weather", "args": {"city": city}}} for at, city in enumerate(cities)
    ]
    found[0]["thought_signature"] = base64.b64decode(NO_SIGNATURE)  # ours is added where no model's own is there
    return {"role": "model", "parts": found}


def result(place: int, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"c{place}", "content": text}


def resulted(place: int, text: str) -> dict[str, Any]:
    return {"function_response": {"id": f"c{place}", "name": "weather", "response": {"output": text}}}


# What is asked through us; and contents and config for the package.
CHATS: dict[str, tuple[dict[str, Any], Any, dict[str, Any]]] = {
    "text": ({"messages": [{"role": "user", "content": "Hello"}]}, "Hello", {}),
    "system and sampling": (
        {
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 20,
            "stop": ["x"],
            "seed": 7,
            "presence_penalty": 0.5,
            "frequency_penalty": -0.5,
            "logprobs": True,
            "top_logprobs": 3,
            "google": GoogleOptions(top_k=5),
        },
        "Hello",
        {
            "system_instruction": types.Content(parts=[types.Part(text="Be brief.")]),
            "temperature": 0.5,
            "top_p": 0.9,
            "max_output_tokens": 20,
            "stop_sequences": ["x"],
            "seed": 7,
            "presence_penalty": 0.5,
            "frequency_penalty": -0.5,
            "response_logprobs": True,
            "logprobs": 3,
            "top_k": 5,
        },
    ),
    "turns": (
        {
            "messages": [
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi."},
                {"role": "user", "content": "Who?"},
            ]
        },
        [user({"text": "Hello"}), {"role": "model", "parts": [{"text": "Hi."}]}, user({"text": "Who?"})],
        {},
    ),
    "tools": (
        {"messages": [ASK], "tools": [TOOL], "tool_choice": "required"},
        [user({"text": ASK["content"]})],
        {
            "tools": [{"function_declarations": [DECLARED]}],
            "tool_config": {"function_calling_config": {"mode": "ANY"}},
        },
    ),
    "one tool": (
        {"messages": [ASK], "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
        [user({"text": ASK["content"]})],
        {
            "tools": [{"function_declarations": [DECLARED]}],
            "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}},
        },
    ),
    "results of parallel tools": (
        {
            "messages": [ASK, calls("Paris", "Rome"), result(0, "sunny"), result(1, "rain")],
            "tools": [TOOL],
        },
        [user({"text": ASK["content"]}), called("Paris", "Rome"), user(resulted(0, "sunny"), resulted(1, "rain"))],
        {"tools": [{"function_declarations": [DECLARED]}]},
    ),
    "built-in tools": (
        {
            "messages": [{"role": "user", "content": "News?"}],
            "web_search_options": {},
            "google": GoogleOptions(tools=({"codeExecution": {}},)),
        },
        "News?",
        {"tools": [{"google_search": {}}, {"code_execution": {}}]},
    ),
    "image, document and sound": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What?"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a"}},
                        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
                    ],
                }
            ]
        },
        [
            user(
                {"text": "What?"},
                {"inline_data": {"mime_type": "image/png", "data": PNG}},
                {"inline_data": {"mime_type": "application/pdf", "data": PDF}},
                {"inline_data": {"mime_type": "audio/wav", "data": "UklGRg=="}},
                {"file_data": {"mime_type": "video/mp4", "file_uri": "https://example.com/a.mp4"}},
            )
        ],
        {},
    ),
    "schema": (
        {
            "messages": [{"role": "user", "content": "Where?"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
        },
        "Where?",
        {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
    ),
    "thinking level": (
        {"messages": [{"role": "user", "content": "Think"}], "reasoning_effort": "low"},
        "Think",
        {"thinking_config": {"thinking_level": "LOW", "include_thoughts": True}},
    ),
    "thinking budget": (
        {
            "messages": [{"role": "user", "content": "Think"}],
            "google": GoogleOptions(thinking_budget=0, include_thoughts=False),
        },
        "Think",
        {"thinking_config": {"thinking_budget": 0, "include_thoughts": False}},
    ),
    "speech and safety": (
        {
            "messages": [{"role": "user", "content": "Say hi"}],
            "modalities": ["audio"],
            "audio": {"voice": "Kore", "format": "wav"},
            "google": GoogleOptions(
                language_code="en-US",
                safety_settings=(SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),),
            ),
        },
        "Say hi",
        {
            "response_modalities": ["AUDIO"],
            "speech_config": {
                "voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}},
                "language_code": "en-US",
            },
            "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        },
    ),
    "images out and a cache": (
        {
            "messages": [{"role": "user", "content": "Draw"}],
            "modalities": ["text", "image"],
            "google": GoogleOptions(
                image_config={"aspectRatio": "16:9"}, cached_content="cachedContents/a", media_resolution="low"
            ),
        },
        "Draw",
        {
            "response_modalities": ["TEXT", "IMAGE"],
            "image_config": {"aspect_ratio": "16:9"},
            "cached_content": "cachedContents/a",
            "media_resolution": "MEDIA_RESOLUTION_LOW",
        },
    ),
}
WHERE = ("google", "vertex")


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=[gemini.ANSWER]))
        yield loopback


def package(server: Loopback, where: str) -> Any:
    """The package's client; in Google Cloud with a token that asks nobody."""
    base = types.HttpOptions(base_url=server.url, api_version="v1beta" if where == "google" else "v1beta1")
    if where == "google":
        return genai.Client(api_key="k", vertexai=False, http_options=base)
    credentials: Any = pytest.importorskip("google.oauth2.credentials")
    token = credentials.Credentials("t")
    return genai.Client(vertexai=True, project="p", location="us-central1", credentials=token, http_options=base)


def ours(server: Loopback, where: str) -> AsyncOneLLM:
    if where == "google":
        return AsyncOneLLM(providers={"google": {"api_key": "k", "base_url": f"{server.url}/v1beta"}})
    options = {"project": "p", "location": "us-central1"}
    settings = {"api_key": lambda: "t", "base_url": f"{server.url}/v1beta1", "options": options}
    return AsyncOneLLM(providers={"vertex": settings})


def compare(server: Loopback, where: str) -> tuple[Recorded, Recorded]:
    """Method, path, query, key and body of both."""
    theirs, own = server.requests
    assert (own.method, own.path, own.query) == (theirs.method, theirs.path, theirs.query)
    key = "x-goog-api-key" if where == "google" else "authorization"
    assert own.headers[key] == theirs.headers[key]
    assert settled(own.json) == settled(theirs.json)
    return theirs, own


# What differs on the wire and says the same, each undone here.
PROJECT = "projects/p/locations/us-central1/"  # the package completes a cache's name; we send what we are given


def settled(value: Any, name: str = "") -> Any:
    """One value as both send it.

    The package writes some names with underscores, which the API takes as well; base64 with the alphabet of URLs; an
    empty generationConfig; and the role "user" of what is embedded, which the API's own examples leave out.
    """
    if isinstance(value, dict):
        found = {camel(key): settled(item, camel(key)) for key, item in value.items()}
        if name == "content":
            found.pop("role", None)
        return {key: item for key, item in found.items() if (key, item) != ("generationConfig", {})}
    if isinstance(value, list):
        return [settled(item) for item in value]
    if name == "data":
        return value.replace("-", "+").replace("_", "/")
    return value.removeprefix(PROJECT) if name == "cachedContent" else value


def camel(name: str) -> str:
    """An underscore and a letter as a capital; `task_type` of an instance is written so by both."""
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("case", CHATS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_chat(server: Loopback, case: str, where: str, stream: bool) -> None:
    asked, contents, config = CHATS[case]
    if stream:
        server.plays(Answer(chunks=gemini.STREAM, content_type=type_sse))
    async with package(server, where).aio as theirs:
        if stream:
            called = theirs.models.generate_content_stream
            async for _ in await called(model="gemini-x", contents=contents, config=config):
                pass
        else:
            await theirs.models.generate_content(model="gemini-x", contents=contents, config=config)
    async with ours(server, where) as client:
        reply = await client.chat.completions.create(model=f"{where}/gemini-x", **asked, stream=stream)
        if not isinstance(reply, ChatCompletion):
            await reply.get_final_completion()
    compare(server, where)


@pytest.mark.parametrize("where", WHERE)
async def test_embeddings(server: Loopback, where: str) -> None:
    """AI Studio's batch; in Google Cloud `predict`, for models that are older than Gemini's."""
    model = "gemini-embedding-001" if where == "google" else "text-embedding-005"
    answer = gemini.embeddings if where == "google" else gemini.predictions
    server.plays(Answer(chunks=[answer(gemini.VECTORS[:2])]))
    config = {"task_type": "RETRIEVAL_QUERY", "output_dimensionality": 3}
    async with package(server, where).aio as theirs:
        await theirs.models.embed_content(model=model, contents=["a", "b"], config=config)
    async with ours(server, where) as client:
        await client.embeddings.create(model=f"{where}/{model}", input=["a", "b"], dimensions=3, input_type="query")
    compare(server, where)


async def test_one_embedding_of_gemini_in_google_cloud(server: Loopback) -> None:
    server.plays(Answer(chunks=[{"embedding": {"values": [1.0, 2.0]}}]))
    config = {"task_type": "RETRIEVAL_DOCUMENT", "output_dimensionality": 2}
    async with package(server, "vertex").aio as theirs:
        await theirs.models.embed_content(model="gemini-embedding-001", contents="a", config=config)
    async with ours(server, "vertex") as client:
        await client.embeddings.create(
            model="vertex/gemini-embedding-001", input="a", dimensions=2, input_type="document"
        )
    compare(server, "vertex")


@pytest.mark.parametrize("where", WHERE)
async def test_count_tokens(server: Loopback, where: str) -> None:
    server.plays(Answer(chunks=[{"totalTokens": 3}]))
    async with package(server, where).aio as theirs:
        await theirs.models.count_tokens(model="gemini-x", contents="Hello")
    async with ours(server, where) as client:
        counted = await client.chat.completions.count_tokens(
            model=f"{where}/gemini-x", messages=[{"role": "user", "content": "Hello"}]
        )
    assert counted.input_tokens == 3
    compare(server, where)


async def test_imagen(server: Loopback) -> None:
    prediction = {"bytesBase64Encoded": PNG, "mimeType": "image/png"}
    server.plays(Answer(chunks=[{"predictions": [prediction]}]))
    config = {"number_of_images": 2, "aspect_ratio": "16:9", "output_mime_type": "image/jpeg"}
    async with package(server, "vertex").aio as theirs:
        await theirs.models.generate_images(model="imagen-4.0", prompt="a cat", config=config)
    async with ours(server, "vertex") as client:
        reply = await client.images.generate(
            model="vertex/imagen-4.0", prompt="a cat", n=2, size="1024x576", output_format="jpeg"
        )
    assert reply.data[0].content == b"\x89PNG\r\n\x1a\n"
    compare(server, "vertex")


# What the package says of each inlined request beside ours: the model, which the path has already.
async def test_batches(server: Loopback) -> None:
    """Begun with requests in the call, with a file, asked for, cancelled and listed."""
    said = {"name": "batches/b1", "metadata": {"state": "BATCH_STATE_RUNNING", "model": "models/gemini-x"}}
    server.chooses(lambda request: Answer(chunks=[{} if request.path.endswith(":cancel") else said]))
    contents = [{"role": "user", "parts": [{"text": "Hello"}]}]
    inlined = [{"contents": contents, "metadata": {"key": key}} for key in "ab"]
    requests: Any = [{"custom_id": key, "body": {"model": "google/gemini-x", "contents": contents}} for key in "ab"]
    async with package(server, "google").aio as theirs:
        await theirs.batches.create(model="gemini-x", src=inlined, config={"display_name": "d"})
        await theirs.batches.create(model="gemini-x", src="files/f1", config={"display_name": "d"})
        await theirs.batches.get(name="batches/b1")
        await theirs.batches.cancel(name="batches/b1")
        await theirs.batches.list(config={"page_size": 2})
    given = [*server.requests]
    server.requests.clear()
    async with ours(server, "google") as client:
        name = {"display_name": "d"}
        await client.batches.create(requests=requests, metadata=name)
        await client.batches.create(input_file_id="files/f1", model="google/gemini-x", metadata=name)
        await client.batches.retrieve("batches/b1", provider="google")
        await client.batches.cancel("batches/b1", provider="google")
        await client.batches.list(limit=2, provider="google")
    assert server.requests.pop(4).path == "/v1beta/batches/b1"  # how the batch is after it was cancelled
    for own, theirs_ in zip(server.requests, given, strict=True):
        assert (own.method, own.path, own.query) == (theirs_.method, theirs_.path, theirs_.query)
        assert (own.json if own.body else {}) == (theirs_.json if theirs_.body else {})
