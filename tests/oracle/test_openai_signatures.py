"""Every argument that `openai`'s own client takes, with every value its types allow: it sends the same from ours.

Names and types are read from its signatures when the tests run, so that an argument, a field or a value that a new
version has, and that ours lacks or changes, fails here by its name. What differs is listed with its reason, and a
listed difference that does not occur fails too.
"""

import inspect
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, get_args

import openai
import pytest
from forms import fields, files
from loopback import Answer, Loopback, Recorded, sse, type_sse
from typed_samples import samples
from typing_extensions import get_type_hints
from wire import chat_completions, completions, moderations

from onellm import AsyncOneLLM, OneLLM, UsageError
from onellm.types.options import ModelOptions

KEY = "sk-oracle-0123456789"
SOUND = ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav")
PICTURE = ("a.png", b"\x89PNG\r\n\x1a\n-pixels", "image/png")
HI = [{"role": "user", "content": "Hi"}]
IMAGES: dict[str, list[Any]] = {
    "frame_count": [2],
    "frame_duration_ms": [40],
    "output_compression": [50],
    "partial_images": [1],
}

# method: what it cannot be called without
METHODS: dict[str, dict[str, Any]] = {
    "chat.completions.create": {"model": "gpt-5.4-mini", "messages": HI},
    "completions.create": {"model": "davinci-002", "prompt": "Once"},
    "embeddings.create": {"model": "text-embedding-3-small", "input": "Hi"},
    "audio.transcriptions.create": {"model": "gpt-transcribe", "file": SOUND},
    "audio.translations.create": {"model": "whisper-1", "file": SOUND},
    "audio.speech.create": {"model": "tts-1", "input": "Hi", "voice": "alloy"},
    "images.generate": {"model": "gpt-image-2", "prompt": "a cat"},
    "images.edit": {"model": "gpt-image-2", "image": PICTURE, "prompt": "a hat"},
    "images.create_variation": {"model": "dall-e-2", "image": PICTURE},
    "files.create": {"file": ("a.jsonl", b"{}\n", "application/jsonl"), "purpose": "batch"},
    "files.list": {},
    "files.retrieve": {"file_id": "file-1"},
    "files.content": {"file_id": "file-1"},
    "files.delete": {"file_id": "file-1"},
    "moderations.create": {"model": "omni-moderation-latest", "input": "Hi"},
    "models.list": {},
    "models.retrieve": {"model": "gpt-5.4-mini"},
    "batches.create": {"input_file_id": "file-1", "endpoint": "/v1/embeddings", "completion_window": "24h"},
    "batches.retrieve": {"batch_id": "batch-1"},
    "batches.list": {},
    "batches.cancel": {"batch_id": "batch-1"},
}

# What the types do not say: numbers within their bounds, and files. For all methods, then for one.
SAMPLES: dict[str, list[Any]] = {
    "best_of": [2],
    "dimensions": [2],
    "frequency_penalty": [-0.5],
    "limit": [5],
    "max_completion_tokens": [100],
    "max_tokens": [100],
    "n": [2],
    "presence_penalty": [1],
    "seconds": [3600],
    "seed": [7],
    "speed": [1.5],
    "temperature": [0.5],
    "top_logprobs": [3],
    "top_p": [0.5],
    "extra_headers": [{"X-Mine": "yes"}],
    "extra_query": [{"a": 1, "b": True, "c": "x y&z", "d": 1.5}],
    "extra_body": [{"top_k": 4, "nested": {"a": [None]}}],
    "timeout": [5.0],
}
OWN_SAMPLES: dict[str, dict[str, list[Any]]] = {
    "completions.create": {"logprobs": [3]},
    "audio.transcriptions.create": {
        "file": [SOUND],
        "prefix_padding_ms": [300],
        "silence_duration_ms": [200],
        "threshold": [0.5],
    },
    "audio.translations.create": {"file": [SOUND]},
    "images.generate": IMAGES,
    "images.edit": {
        **IMAGES,
        "image": [PICTURE, [PICTURE], [PICTURE, ("b.webp", b"RIFF....WEBP", "image/webp")]],
        "mask": [PICTURE],
        "markup": [PICTURE],
    },
    "images.create_variation": {"image": [PICTURE]},
    "files.create": {"file": [("ä b.pdf", b"%PDF-", "application/pdf")]},
}

# What must be there for an argument to make sense.
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("chat.completions.create", "stream_options"): {"stream": True},
    ("chat.completions.create", "top_logprobs"): {"logprobs": True},
    ("completions.create", "stream_options"): {"stream": True},
    ("audio.transcriptions.create", "timestamp_granularities"): {"response_format": "verbose_json"},
}

# Differences: (what becomes of the body that theirs sends, why).
Change = Callable[[dict[str, Any]], dict[str, Any]]


def _without_false(body: dict[str, Any]) -> dict[str, Any]:
    if "fields" in body:
        return {**body, "fields": [field for field in body["fields"] if field != ("stream", "false")]}
    return {name: value for name, value in body.items() if name != "stream" or value}


def _without_audio(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if (name, value) != ("stream_format", "audio")}


def _without_base64(body: dict[str, Any]) -> dict[str, Any]:
    if "fields" in body:
        return {**body, "fields": [field for field in body["fields"] if field != ("response_format", "b64_json")]}
    return {name: value for name, value in body.items() if (name, value) != ("response_format", "b64_json")}


def _with_content(body: dict[str, Any]) -> dict[str, Any]:
    assistant = {"role": "assistant", "content": None}
    return {
        **body,
        "messages": [assistant | each if each["role"] == "assistant" else each for each in body["messages"]],
    }


def _with_usage(body: dict[str, Any]) -> dict[str, Any]:
    return {"stream_options": {"include_usage": True}, **body} if body.get("stream") else _without_false(body)


def _new_name(body: dict[str, Any]) -> dict[str, Any]:
    return {"max_completion_tokens" if name == "max_tokens" else name: value for name, value in body.items()}


FALSE_IS_ABSENT = "False is what leaving it out means"
USAGE = "our streamed answer has the usage that the whole one has, so it must be asked for; " + FALSE_IS_ABSENT
DIFFERENCES: dict[tuple[str, str], tuple[Change, str]] = {
    ("chat.completions.create", "stream"): (_with_usage, USAGE),
    ("chat.completions.create", "max_tokens"): (
        _new_name,
        "OpenAI's newer models refuse the old name; the new one is taken by all of them",
    ),
    ("chat.completions.create", "messages"): (_with_content, "many hosts want the field, and OpenAI takes its None"),
    ("completions.create", "stream"): (_with_usage, USAGE),
    ("audio.transcriptions.create", "stream"): (_without_false, FALSE_IS_ABSENT),
    ("audio.speech.create", "stream_format"): (_without_audio, "audio is what leaving it out means"),
    ("images.generate", "stream"): (_without_false, FALSE_IS_ABSENT),
    ("images.edit", "stream"): (_without_false, FALSE_IS_ABSENT),
    ("images.generate", "response_format"): (_without_base64, "OpenAI's models answer so, and refuse to be asked"),
    ("images.edit", "response_format"): (_without_base64, "OpenAI's models answer so, and refuse to be asked"),
}

# Values that are an error here before anything is sent.
REFUSED: dict[tuple[str, str], tuple[list[Any], str]] = {
    ("images.generate", "response_format"): (["url"], "OpenAI's models have no URLs to give"),
    ("images.edit", "response_format"): (["url"], "OpenAI's models have no URLs to give"),
    ("images.generate", "size"): (["text"], "no size"),
    ("images.edit", "size"): (["text"], "no size"),
}

# Ours has them, theirs does not: nothing that was written for theirs can name them.
# What every call takes, whoever answers it, is tested by itself.
OWN = {"provider"} | ModelOptions.__annotations__.keys() - {"extra_headers", "extra_query", "extra_body", "timeout"}
OWN_OF: dict[str, tuple[set[str], str]] = {
    "chat.completions.create": (
        {"anthropic", "bedrock", "cache", "cohere", "google", "ollama"},
        "native APIs and prompt caches of others",
    ),
    "embeddings.create": ({"input_type"}, "other hosts make other vectors of a question than of a document"),
    "files.create": ({"part_size"}, "their client has `uploads` for it"),
    "batches.create": ({"requests", "model"}, "requests become a file by themselves"),
}
REQUIRED_HERE: dict[str, tuple[set[str], str]] = {
    "images.generate": ({"model"}, "the model says the provider"),
    "images.edit": ({"model"}, "the model says the provider"),
    "images.create_variation": ({"model"}, "the model says the provider"),
}


def play(request: Recorded) -> Answer:  # noqa: C901, PLR0911, PLR0912 - a path a case
    """The right answer to each request, so that both clients get through."""
    path = request.path.removeprefix("/v1/")
    stream = b'"stream"' in request.body and (b'"stream":true' in request.body or b'"stream": true' in request.body)
    match path.split("/"):
        case ["chat", "completions"]:
            count = request.json.get("n", 1)
            answer = {**_json(chat_completions.ANSWER)}
            answer["choices"] = [{**answer["choices"][0], "index": place} for place in range(count)]
            return Answer(chunks=chat_completions.STREAM, content_type=type_sse) if stream else Answer(chunks=[answer])
        case ["completions"]:
            if stream:
                return Answer(chunks=sse(*completions.STREAM), content_type=type_sse)
            return Answer(chunks=[_completion(request.json)])
        case ["embeddings"]:
            given = request.json["input"]
            count = len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1
            return Answer(chunks=[chat_completions.embeddings([[0.5]] * count, base64_=True)])
        case ["audio", "speech"] if stream or b"sse" in request.body:
            done = {"type": "speech.audio.done", "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}
            return Answer(chunks=sse({"type": "speech.audio.delta", "audio": "AA=="}, done), content_type=type_sse)
        case ["audio", "speech"] | ["files", _, "content"]:
            return Answer(chunks=[b"OggS"], content_type="audio/ogg")
        case ["audio", *_] if ("stream", "true") in fields(request):
            events = [{"type": "transcript.text.delta", "delta": "a"}, {"type": "transcript.text.done", "text": "a"}]
            return Answer(chunks=sse(*events), content_type=type_sse)
        case ["images", kind] if stream or ("multipart" in request.headers["content-type"] and _streams(request)):
            event = "image_generation.completed" if kind == "generations" else "image_edit.completed"
            return Answer(
                chunks=sse({"type": event, "b64_json": "AA==", "created_at": 1}, done=False), content_type=type_sse
            )
        case ["audio", *_]:
            return Answer(chunks=[{"text": "Hello", "duration": 1.0, "language": "en", "segments": []}])
        case ["images", *_]:
            return Answer(chunks=[{"created": 1, "data": [{"b64_json": "AA=="}]}])
        case ["moderations"]:
            given = request.json["input"]
            answer = dict(moderations.OPENAI)
            if isinstance(given, list) and isinstance(given[0], str):
                answer["results"] = answer["results"][:1] * len(given)
            return Answer(chunks=[answer])
        case ["models"]:
            return Answer(chunks=[chat_completions.models()])
        case ["files" | "batches"] if request.method == "GET":
            return Answer(chunks=[{"object": "list", "data": [], "has_more": False}])
        case _:
            return Answer(chunks=[{"id": "a", "object": "a", "created_at": 1, "status": "completed", "deleted": True}])


def _json(raw: Any) -> Any:
    return json.loads(raw) if isinstance(raw, bytes | str) else raw


def _streams(request: Recorded) -> bool:
    return ("stream", "true") in fields(request)


def _completion(asked: Mapping[str, Any]) -> dict[str, Any]:
    answer = _json(completions.WHOLE)
    prompt = asked["prompt"]
    prompts = len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    choices = [{**answer["choices"][0], "index": place} for place in range(prompts * asked.get("n", 1))]
    return {**answer, "choices": choices}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        loopback.chooses(play)
        yield loopback


def method(client: Any, name: str) -> Any:
    """A method by its path in the client."""
    for step in name.split("."):
        client = getattr(client, step)
    return client


async def ask(client: Any, name: str, arguments: dict[str, Any]) -> None:
    """Make a call, and read its answer to the end."""
    reply = await method(client, name)(**arguments)
    if name in {"files.content", "audio.speech.create"}:
        await reply.aclose()
    elif arguments.get("stream"):
        async for _ in reply:
            pass


def sent(request: Recorded) -> tuple[Any, Any]:
    """All but what one is free to choose: the boundary, the order of fields and of the query."""
    path, _, query = request.target.partition("?")
    kind, _, _ = request.headers.get("content-type", "").partition(";")
    kept = ("authorization", "openai-organization", "openai-project", "x-mine")
    head: tuple[Any, ...] = (request.method, path, sorted(query.split("&")), kind if request.body else "")
    head += tuple(request.headers.get(name) for name in kept)
    if "content" in path:
        head += (request.headers.get("accept"),)
    if kind == "multipart/form-data":
        return head, {"fields": sorted(fields(request)), "files": files(request)}
    return head, request.json if request.body else {}


def settings(server: Loopback) -> dict[str, Any]:
    return {
        "api_key": KEY,
        "base_url": f"{server.url}/v1",
        "organization": "org-1",
        "project": "proj-1",
        "max_retries": 0,
    }


def theirs_take(name: str) -> dict[str, Any]:
    """The arguments of a method of `openai`'s client, with their types."""
    found = method(openai.AsyncOpenAI(api_key=KEY), name)
    hints = get_type_hints(found.__func__)
    return {argument: hints[argument] for argument in inspect.signature(found).parameters}


def ours_take(name: str) -> dict[str, inspect.Parameter]:
    """The arguments of a method of ours, those of its TypedDict among them."""
    found: dict[str, inspect.Parameter] = {}
    for argument, parameter in inspect.signature(method(AsyncOneLLM(api_key=KEY), name)).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (known,) = get_args(parameter.annotation)
            named = inspect.Parameter.KEYWORD_ONLY
            found |= {field: inspect.Parameter(field, named, default=None) for field in known.__annotations__}
        else:
            found[argument] = parameter
    return found


@pytest.mark.parametrize("name", METHODS)
def test_arguments_have_the_same_names(name: str) -> None:
    """Ours has each of theirs, and beyond them only what is listed; those that may be left out there may be here."""
    theirs, ours = theirs_take(name), ours_take(name)
    assert theirs.keys() - ours.keys() == set()
    assert ours.keys() - theirs.keys() - OWN == OWN_OF.get(name, (set(), ""))[0]
    signature = inspect.signature(method(openai.AsyncOpenAI(api_key=KEY), name)).parameters
    optional = {argument for argument, each in signature.items() if each.default is not inspect.Parameter.empty}
    required = {argument for argument, each in ours.items() if each.default is inspect.Parameter.empty}
    assert required & optional == REQUIRED_HERE.get(name, (set(), ""))[0]
    positional = {argument for argument, each in signature.items() if each.kind is each.POSITIONAL_OR_KEYWORD}
    assert positional <= {argument for argument, each in ours.items() if each.kind is each.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("name", METHODS)
def test_the_blocking_method_takes_the_same(name: str) -> None:
    given = [list(inspect.signature(method(make(api_key=KEY), name)).parameters) for make in (AsyncOneLLM, OneLLM)]
    assert given[0] == given[1]


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # openai's, of what OpenAI has retired
@pytest.mark.parametrize("name", METHODS)
async def test_every_argument_is_sent_alike(server: Loopback, name: str) -> None:
    """Method, path, query, headers, JSON or form: for each value, each field and each alternative of each argument."""
    found: dict[str, Any] = {}
    async with openai.AsyncOpenAI(**settings(server)) as theirs, AsyncOneLLM(**settings(server)) as ours:
        for argument, kind in theirs_take(name).items():
            table = {**SAMPLES, **OWN_SAMPLES.get(name, {})}
            values = samples(kind, argument, table)
            for value in values[:2] if argument == "model" else values:
                call = METHODS[name] | BESIDE.get((name, argument), {}) | {argument: value}
                del server.requests[:]
                await ask(theirs, name, call)
                named = f"openai/{call['model']}" if "model" in call else None
                refused = ""
                try:
                    await ask(ours, name, call | ({"model": named} if named else {}))
                except UsageError as exc:
                    refused = str(exc)
                change, _ = DIFFERENCES.get((name, argument), (dict, ""))
                head, body = sent(server.requests[0])
                expected = [] if value in REFUSED.get((name, argument), ([], ""))[0] else [(head, change(body))]
                if [sent(request) for request in server.requests[1:]] != expected:
                    found.setdefault(argument, (value, refused or sent(server.requests[-1]), expected))
    assert found == {}


def test_each_difference_has_its_reason_and_is_one() -> None:
    """No row that a newer client, or a change of ours, has made pointless."""
    assert all(reason for _, reason in DIFFERENCES.values())
    assert all(reason for _, reason in [*OWN_OF.values(), *REQUIRED_HERE.values(), *REFUSED.values()])
    for (name, argument), (change, _) in DIFFERENCES.items():
        values = samples(theirs_take(name)[argument], argument, SAMPLES)
        assert any(change(METHODS[name] | {argument: value}) != METHODS[name] | {argument: value} for value in values)
    for (name, argument), (refused, _) in REFUSED.items():
        assert all(value in samples(theirs_take(name)[argument], argument, SAMPLES) for value in refused)


UPLOAD = {"bytes": 5, "filename": "a.jsonl", "mime_type": "application/jsonl", "purpose": "batch"}
UPLOAD_STEPS: dict[str, dict[str, Any]] = {
    "uploads.create": {**UPLOAD, "expires_after": {"anchor": "created_at", "seconds": 3600}},
    "uploads.parts.create": {"upload_id": "up-1", "data": ("a.jsonl", b"{}\n", "application/octet-stream")},
    "uploads.complete": {"upload_id": "up-1", "part_ids": ["part-1", "part-1"]},
}
UPLOAD_LACKS = {"uploads.complete": ({"md5"}, "a checksum of all would mean reading the file twice")}


async def test_a_file_in_parts_is_sent_alike(server: Loopback) -> None:
    """`files.create` makes the calls for which theirs has `uploads`, with every argument that these take."""
    for name, given in UPLOAD_STEPS.items():
        known = theirs_take(name).keys() - {"extra_headers", "extra_query", "extra_body", "timeout"}
        assert known - given.keys() == UPLOAD_LACKS.get(name, (set(), ""))[0]
    kept = {"id": "file-1", "object": "file", "bytes": 5, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
    server.chooses(
        lambda request: Answer(chunks=[{"id": "part-1" if "parts" in request.path else "up-1", "file": kept}])
    )
    async with openai.AsyncOpenAI(**settings(server)) as theirs:
        for name, given in UPLOAD_STEPS.items():
            await ask(theirs, name, given)
    async with AsyncOneLLM(**settings(server)) as ours:
        await ours.files.create(
            file=("a.jsonl", b"{}\n{}", "application/jsonl"),
            purpose="batch",
            part_size=3,
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
    create, part, complete, *own = [sent(request) for request in server.requests]
    assert len(own) == 4
    assert [own[0], own[-1]] == [create, complete]
    assert part in own[1:-1]
