"""Azure OpenAI: where requests go, what they are signed with, and when a token is renewed."""

import asyncio
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest
from loopback import Answer, Loopback, Recorded, streamed
from wire.openai import CHAT, STREAM

from onellm import AsyncOneLLM, OneLLM, RetryPolicy
from onellm.errors import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    MissingDependencyError,
    MissingKeyError,
    NotFoundError,
    RateLimitError,
    UnsupportedFeatureError,
)
from onellm.providers.azure import PROVIDER, SCOPE
from onellm.providers.base import ProviderSettings
from onellm.types.options import TokenCredential
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

ASK: dict[str, Any] = {"model": "azure/mine", "messages": [{"role": "user", "content": "Hi"}]}
QUICK = RetryPolicy(max_retries=2, initial=0.001, maximum=0.001, jitter=0.0)
RESOURCE = "https://r.openai.azure.com"
DATED = "2024-10-21"


@pytest.fixture(autouse=True)
def _answers(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[CHAT]))


def connect(loopback: Loopback, *, options: dict[str, Any] | None = None, **settings: Any) -> AsyncOneLLM:
    own = {"api_key": "k-1", "base_url": loopback.url, "options": options or {}, **settings}
    own = {name: value for name, value in own.items() if value is not None}
    return AsyncOneLLM(providers={"azure": own}, retry=QUICK)


def keys(request: Recorded) -> tuple[str | None, str | None]:
    return request.headers.get("api-key"), request.headers.get("authorization")


# --- addresses ------------------------------------------------------------------------------------------------------

V1 = f"{RESOURCE}/openai/v1"
CLASSIC = f"{RESOURCE}/openai"
QUERY = {"api-version": DATED}
PROJECT = "https://r.services.ai.azure.com/api/projects/p"
URLS: dict[str, tuple[str, dict[str, str]]] = {
    RESOURCE: (V1, {}),
    f"{RESOURCE}/": (V1, {}),
    f"  {RESOURCE}//": (V1, {}),
    f"{RESOURCE}/openai": (V1, {}),
    f"{RESOURCE}//openai/": (V1, {}),
    f"{RESOURCE}/openai/v1": (V1, {}),
    f"{RESOURCE}/openai/v1/": (V1, {}),
    f"{RESOURCE}/openai/v1/?api-version=preview": (V1, {"api-version": "preview"}),
    f"{RESOURCE}/openai/v1/chat/completions": (V1, {}),
    f"{RESOURCE}/openai/v1/responses?api-version=v1": (V1, {}),
    f"{RESOURCE}/openai/v1/chat/completions?api-version={DATED}": (V1, {}),
    f"{RESOURCE}/openai/deployments/x": (V1, {}),
    f"{RESOURCE}?api-version={DATED}": (CLASSIC, QUERY),
    f"{RESOURCE}/openai?api-version={DATED}": (CLASSIC, QUERY),
    f"{RESOURCE}/openai/deployments/x/chat/completions?api-version={DATED}": (CLASSIC, QUERY),
    f"{RESOURCE}/openai/deployments/openai/chat/completions?api-version={DATED}": (CLASSIC, QUERY),
    f"{RESOURCE}/openai/chat/completions?api-version={DATED}": (CLASSIC, QUERY),
    f"{RESOURCE}/openai/responses?api-version=2025-04-01-preview": (CLASSIC, {"api-version": "2025-04-01-preview"}),
    f"{RESOURCE}:8443/openai": (f"{RESOURCE}:8443/openai/v1", {}),
    PROJECT: (f"{PROJECT}/openai/v1", {}),
    f"{PROJECT}/openai/v1": (f"{PROJECT}/openai/v1", {}),
    "https://r.services.ai.azure.com/api/projects/openai/openai/v1": (
        "https://r.services.ai.azure.com/api/projects/openai/openai/v1",
        {},
    ),
    "https://gateway.example.com/llm": ("https://gateway.example.com/llm/openai/v1", {}),
}


@pytest.mark.parametrize("url", URLS)
def test_every_form_of_a_url_leads_to_the_api(url: str) -> None:
    read, options = PROVIDER.read_base_url(url)
    settings = PROVIDER.settle(ProviderSettings(api_key=Secret("k"), base_url=read, options=options))
    assert (settings.base_url, settings.query) == URLS[url]


@pytest.mark.parametrize(
    "url", [f"{RESOURCE}/?x=1", "r.openai.azure.com", f"{RESOURCE}/#x", "https://u:p@host", "https://[x"]
)
async def test_what_is_no_base_url_is_refused(loopback: Loopback, url: str) -> None:
    async with connect(loopback, base_url=url) as client:
        with pytest.raises(ConfigurationError, match="the base URL of azure"):
            await client.chat.completions.create(**ASK)


@pytest.mark.parametrize(
    ("version", "path", "query"),
    [
        (None, "/openai/v1/chat/completions", {}),
        ("v1", "/openai/v1/chat/completions", {}),
        ("latest", "/openai/v1/chat/completions", {}),
        ("preview", "/openai/v1/chat/completions", {"api-version": "preview"}),
        (DATED, "/openai/deployments/mine/chat/completions", {"api-version": DATED}),
        (date(2024, 10, 21), "/openai/deployments/mine/chat/completions", {"api-version": DATED}),
    ],
)
async def test_the_version_is_the_shape(loopback: Loopback, version: Any, path: str, query: dict[str, str]) -> None:
    """A date, also as TOML has it, is the older API; everything else is v1."""
    async with connect(loopback, options={"api_version": version}) as client:
        await client.chat.completions.create(**ASK)
    (request,) = loopback.requests
    assert (request.path, request.query, request.json["model"]) == (path, query, "mine")


@pytest.mark.parametrize("variable", ["OPENAI_API_VERSION", "AZURE_API_VERSION"])
@pytest.mark.parametrize("endpoint", ["AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"])
async def test_address_and_version_come_from_variables(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch, variable: str, endpoint: str
) -> None:
    """What a URL says of the version goes before the variable, and an option before both."""
    monkeypatch.setenv(variable, DATED)
    monkeypatch.setenv(endpoint, loopback.url)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-2")
    for settings in ({}, {"base_url": f"{loopback.url}/openai/v1"}, {"options": {"api_version": "2025-01-01-preview"}}):
        async with AsyncOneLLM(providers={"azure": settings}) as client:
            await client.chat.completions.create(**ASK)
    assert [request.query.get("api-version") for request in loopback.requests] == [DATED, None, "2025-01-01-preview"]
    assert {keys(request) for request in loopback.requests} == {("k-2", None)}


@pytest.mark.parametrize(
    "options",
    [
        {"api_version": "2024"},
        {"api_version": "V1"},
        {"deployments": ["a"]},
        {"deployments": {"a": 1}},
        {"entra": "yes"},
        {"entra": True},  # beside a key
    ],
)
async def test_options_that_are_wrong(loopback: Loopback, options: dict[str, Any]) -> None:
    async with connect(loopback, options=options) as client:
        with pytest.raises(ConfigurationError, match=r"azure: .*(api_version|deployments|entra)"):
            await client.chat.completions.create(**ASK)
    assert loopback.requests == []


@pytest.mark.parametrize("version", ["v1", DATED])
async def test_models_go_to_the_deployments_that_the_options_name(loopback: Loopback, version: str) -> None:
    """A name that is not there is a deployment's, also where it is the name of a deployment that others go to."""
    options = {"deployments": {"gpt-5.4-mini": "mine", "mine": "other", "m/e": "speech"}, "api_version": version}
    async with connect(loopback, options=options) as client:
        for name in ("gpt-5.4-mini", "mine", "else"):
            await client.chat.completions.create(**{**ASK, "model": f"azure/{name}"})
        loopback.plays(streamed(*STREAM))
        stream = await client.chat.completions.create(**{**ASK, "model": "azure/gpt-5.4-mini"}, stream=True)
        await stream.get_final_completion()
        loopback.plays(Answer(chunks=[b"ID3"], content_type="audio/mpeg"))
        await (await client.audio.speech.create(model="azure/m/e", input="x", voice="alloy")).read()
    assert [request.json["model"] for request in loopback.requests] == ["mine", "other", "else", "mine", "speech"]
    if version == DATED:
        assert [request.path.split("/")[3] for request in loopback.requests] == [
            "mine", "other", "else", "mine", "speech"
        ]  # fmt: skip


async def test_a_retry_goes_to_the_same_deployment(loopback: Loopback) -> None:
    """The request is mapped once, and not once more each time."""
    loopback.plays(Answer(status=503), Answer(chunks=[CHAT]))
    async with connect(loopback, options={"deployments": {"mine": "other", "other": "third"}}) as client:
        await client.chat.completions.create(**ASK)
    assert [request.json["model"] for request in loopback.requests] == ["other", "other"]


async def test_a_deployment_is_quoted_in_the_path(loopback: Loopback) -> None:
    """And cannot lead to another path."""
    async with connect(loopback, options={"api_version": DATED}) as client:
        await client.chat.completions.create(**{**ASK, "model": "azure/a/../b?c"})
        with pytest.raises(InvalidRequestError, match=r"not a deployment: '\.\.'"):
            await client.chat.completions.create(**{**ASK, "model": "azure/.."})
    (request,) = loopback.requests
    assert request.target == f"/openai/deployments/a%2F..%2Fb%3Fc/chat/completions?api-version={DATED}"


@pytest.mark.parametrize(("version", "asks"), [("2024-06-01", False), ("2024-09-01-preview", True), (DATED, True)])
async def test_usage_of_a_stream_is_asked_for_where_the_version_knows_it(
    loopback: Loopback, version: str, asks: bool
) -> None:
    loopback.plays(streamed(*STREAM))
    async with connect(loopback, options={"api_version": version}) as client:
        stream = await client.chat.completions.create(**ASK, stream=True)
        await stream.get_final_completion()
    assert ("stream_options" in loopback.requests[0].json) is asks


async def test_the_calls_own_query_stands_beside_the_version(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[{"data": [], "has_more": False}]))
    async with connect(loopback, options={"api_version": DATED}) as client:
        _ = [item async for item in client.files.list(provider="azure", limit=2, extra_query={"$orderby": "x asc"})]
    assert loopback.requests[0].query == {"api-version": DATED, "limit": "2", "$orderby": "x asc"}


async def test_moderations_are_not_served(loopback: Loopback) -> None:
    async with connect(loopback) as client:
        with pytest.raises(UnsupportedFeatureError, match="azure does not serve moderations"):
            await client.moderations.create(model="azure/x", input="x")


# --- answers and refusals that are its own --------------------------------------------------------------------------


async def test_a_missing_deployment(loopback: Loopback) -> None:
    """Sent once; the gateway's id is the request's."""
    refusal = {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}
    headers = {"apim-request-id": "a-1", "x-request-id": "x-1"}
    loopback.plays(Answer(status=404, chunks=[refusal], headers=headers))
    async with connect(loopback) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.chat.completions.create(**ASK)
    assert (caught.value.code, caught.value.request_id, caught.value.model) == ("DeploymentNotFound", "a-1", "mine")
    assert len(loopback.requests) == 1


async def test_a_wait_in_milliseconds_goes_first(loopback: Loopback, waits: list[float]) -> None:
    headers = {"retry-after": "1", "retry-after-ms": "12"}
    loopback.plays(Answer(status=429, headers=headers, chunks=[{"error": {"code": "429"}}]), Answer(chunks=[CHAT]))
    async with connect(loopback) as client:
        await client.chat.completions.create(**ASK)
    assert len(waits) == 1
    assert 0.012 <= waits[0] <= 0.015


async def test_a_queue_of_batches_that_is_full_is_tried_again(loopback: Loopback) -> None:
    """In spite of its status: nothing has been made."""
    refusal = {"error": {"code": "token_limit_exceeded", "message": "Enqueued token limit exceeded."}}
    batch = {"id": "batch_1", "status": "validating", "endpoint": None, "output_file_id": "", "error_file_id": ""}
    loopback.plays(Answer(status=400, chunks=[refusal]), Answer(chunks=[batch]))
    asked: dict[str, Any] = {"input_file_id": "file-1", "endpoint": "/chat/completions", "provider": "azure"}
    async with connect(loopback) as client:
        made = await client.batches.create(**asked)
        loopback.plays(Answer(status=400, chunks=[refusal]))
        with pytest.raises(RateLimitError) as caught:
            await client.batches.create(**asked, max_retries=0)
    assert (made.id, made.endpoint, made.output_file_id, made.error_file_id) == ("batch_1", "", None, None)
    assert (caught.value.status_code, caught.value.retryable) == (400, True)
    assert len(loopback.requests) == 3


async def test_results_of_a_batch_that_names_no_endpoint(loopback: Loopback) -> None:
    """Each is read as what it says it is; an error file without lines is none."""
    done = {"id": "b", "status": "Completed", "endpoint": None, "output_file_id": "file-o", "error_file_id": "file-e"}
    listed = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m"}
    texts = {"object": "text_completion", "id": "c", "choices": [{"index": 0, "text": "blue", "finish_reason": "stop"}]}
    lines = [
        {"custom_id": str(at), "response": {"status_code": 200, "body": body}, "error": None}
        for at, body in enumerate([CHAT, listed, texts, {"other": 1}])
    ]
    loopback.chooses(
        lambda request: Answer(
            chunks=[done]
            if "batches" in request.path
            else []
            if "file-e" in request.path
            else [line_of(line) for line in lines]
        )
    )
    async with connect(loopback) as client:
        batch = await client.batches.retrieve("b", provider="azure")
        found = [result async for result in client.batches.results("b", provider="azure")]
    assert batch.status == "completed"
    assert [type(result.response).__name__ for result in found] == [
        "ChatCompletion", "CreateEmbeddingResponse", "Completion", "dict"
    ]  # fmt: skip
    assert [result.error for result in found] == [None] * 4


def line_of(line: dict[str, Any]) -> bytes:
    import msgspec  # noqa: PLC0415 - one test's

    return msgspec.json.encode(line) + b"\n"


async def test_reasoning_that_a_count_leaves_out_is_added(loopback: Loopback) -> None:
    """As the total shows; where it is counted already, nothing is added."""
    details = {"reasoning_tokens": 293}
    usages = [
        {"prompt_tokens": 332, "completion_tokens": 13, "total_tokens": 638, "completion_tokens_details": details},
        {"prompt_tokens": 332, "completion_tokens": 306, "total_tokens": 638, "completion_tokens_details": details},
    ]
    loopback.plays(*(Answer(chunks=[{**CHAT, "usage": usage}]) for usage in usages))
    async with connect(loopback) as client:
        replies = [await client.chat.completions.create(**ASK) for _ in usages]
    assert [reply.usage and reply.usage.completion_tokens for reply in replies] == [306, 306]


# --- keys and tokens ------------------------------------------------------------------------------------------------


class Credential:
    """Gives tokens that live an hour of a clock that is turned by hand, and counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        self.scopes: list[tuple[str, ...]] = []
        self.failure: Exception | None = None
        monkeypatch.setattr("onellm.providers.azure.time", SimpleNamespace(time=lambda: self.now))

    async def get_token(self, *scopes: str) -> Any:
        await asyncio.sleep(0)
        self.scopes.append(scopes)
        if self.failure is not None:
            raise self.failure
        return SimpleNamespace(token=f"token-{len(self.scopes)}", expires_on=int(self.now) + 3600)


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> Credential:
    return Credential(monkeypatch)


async def test_many_requests_ask_for_one_token(loopback: Loopback, credential: Credential) -> None:
    async with connect(loopback, api_key=credential) as client:
        await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(100)))
    assert credential.scopes == [(SCOPE,)]
    assert {keys(request) for request in loopback.requests} == {(None, "Bearer token-1")}
    assert len(loopback.requests) == 100


async def test_a_token_is_renewed_before_its_end(loopback: Loopback, credential: Credential) -> None:
    async with connect(loopback, api_key=credential) as client:
        for at in (0, 3299, 3300, 3301):
            credential.now = 1_000_000.0 + at
            await client.chat.completions.create(**ASK)
    assert [keys(request)[1] for request in loopback.requests] == [f"Bearer token-{number}" for number in (1, 1, 2, 2)]


@pytest.mark.parametrize("call", ["whole", "stream", "speech", "list", "form"])
async def test_a_token_that_is_refused_is_renewed_once(loopback: Loopback, credential: Credential, call: str) -> None:
    """And the request sent once more, whatever it is; the caller sees the answer alone."""
    good: dict[str, Answer] = {
        "whole": Answer(chunks=[CHAT]),
        "stream": streamed(*STREAM),
        "speech": Answer(chunks=[b"ID3"], content_type="audio/mpeg"),
        "list": Answer(chunks=[{"data": []}]),
        "form": Answer(chunks=[{"text": "Hello"}]),
    }

    def answer(request: Recorded) -> Answer:
        stale = request.headers["authorization"] == "Bearer token-1"
        return Answer(status=401, chunks=[{"statusCode": 401, "message": "Unauthorized."}]) if stale else good[call]

    loopback.chooses(answer)
    async with connect(loopback, api_key=credential) as client:
        calls: dict[str, Callable[[], Any]] = {
            "whole": lambda: client.chat.completions.create(**ASK),
            "stream": lambda: client.chat.completions.create(**ASK, stream=True),
            "speech": lambda: client.audio.speech.create(model="azure/x", input="x", voice="alloy"),
            "list": lambda: client.models.list("azure"),
            "form": lambda: client.audio.transcriptions.create(model="azure/x", file=("a.wav", b"RIFF")),
        }
        reply = await calls[call]()
        if call == "stream":
            await reply.get_final_completion()
        elif call == "speech":
            assert await reply.read() == b"ID3"
    assert [keys(request)[1] for request in loopback.requests] == ["Bearer token-1", "Bearer token-2"]
    assert len({request.body for request in loopback.requests}) == (2 if call == "form" else 1)  # its boundary is new
    assert len(credential.scopes) == 2


async def test_requests_that_are_refused_together_renew_together(loopback: Loopback, credential: Credential) -> None:
    loopback.chooses(
        lambda request: Answer(status=401) if "token-1" in request.headers["authorization"] else Answer(chunks=[CHAT])
    )
    async with connect(loopback, api_key=credential) as client:
        await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(20)))
    assert len(credential.scopes) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_new_token_that_is_refused_too_is_an_error(
    loopback: Loopback, credential: Credential, stream: bool
) -> None:
    loopback.plays(Answer(status=401, chunks=[{"statusCode": 401, "message": "audience is incorrect"}]))
    async with connect(loopback, api_key=credential) as client:
        with pytest.raises(AuthenticationError, match="audience is incorrect"):
            await client.chat.completions.create(**ASK, stream=stream)
    assert len(loopback.requests) == len(credential.scopes) == 2


async def test_what_cannot_be_renewed_is_sent_once(loopback: Loopback) -> None:
    """A key; a function that gives the same token again; a header of the call's own."""
    loopback.plays(Answer(status=401))
    for api_key, headers in (("k-1", {}), (lambda: "same", {}), ("k-1", {"Authorization": "Bearer mine"})):
        async with connect(loopback, api_key=api_key) as client:
            with pytest.raises(AuthenticationError):
                await client.chat.completions.create(**ASK, extra_headers=headers)
    assert [keys(request) for request in loopback.requests] == [
        ("k-1", None), (None, "Bearer same"), ("k-1", "Bearer mine")
    ]  # fmt: skip


async def test_a_function_is_asked_again_where_its_token_was_refused(loopback: Loopback) -> None:
    given = iter(["old", "new"])
    loopback.plays(Answer(status=401), Answer(chunks=[CHAT]))
    async with connect(loopback, api_key=lambda: next(given)) as client:
        await client.chat.completions.create(**ASK)
    assert [keys(request)[1] for request in loopback.requests] == ["Bearer old", "Bearer new"]


async def test_the_scope_is_an_option(
    loopback: Loopback, credential: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = "https://ai.azure.com/.default"
    async with connect(loopback, api_key=credential, options={"scope": scope}) as client:
        await client.chat.completions.create(**ASK)
    monkeypatch.setenv("AZURE_SCOPE", "https://else/.default")
    async with connect(loopback, api_key=credential) as client:
        await client.chat.completions.create(**ASK)
    assert credential.scopes == [(scope,), ("https://else/.default",)]


async def test_a_credential_that_is_not_async_is_asked_in_a_thread(loopback: Loopback) -> None:
    class Blocking:
        """Would stop the loop."""

        def get_token(self, *_: str) -> Any:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            return SimpleNamespace(token="of-a-thread", expires_on=4_000_000_000)

    async with connect(loopback, api_key=Blocking()) as client:
        await client.chat.completions.create(**ASK)
    assert keys(loopback.requests[0]) == (None, "Bearer of-a-thread")


async def test_a_credential_is_the_default_providers_key(loopback: Loopback, credential: Credential) -> None:
    """As `api_key=`, in the client that blocks too."""
    settings: dict[str, Any] = {"default_provider": "azure", "base_url": loopback.url, "api_key": credential}

    def block() -> None:
        with OneLLM(**settings) as client:
            client.chat.completions.create(model="mine", messages=ASK["messages"])

    await asyncio.to_thread(block)
    async with AsyncOneLLM(**settings) as client:
        await client.chat.completions.create(model="mine", messages=ASK["messages"])
    assert [keys(request)[1] for request in loopback.requests] == ["Bearer token-1", "Bearer token-2"]


async def test_a_credential_is_for_providers_that_take_one(loopback: Loopback, credential: Credential) -> None:
    async with AsyncOneLLM(api_key=credential, base_url=loopback.url) as client:
        with pytest.raises(ConfigurationError, match="the openai key must be a text, or a function"):
            await client.chat.completions.create(model="openai/x", messages=ASK["messages"])


@pytest.mark.parametrize(
    ("failure", "cls"),
    [
        (ValueError("no such tenant"), AuthenticationError),
        (TimeoutError("no such tenant"), APIConnectionError),
    ],
)
async def test_a_credential_that_fails(
    loopback: Loopback, credential: Credential, failure: Exception, cls: type[Exception]
) -> None:
    """One of our errors, with what was wrong as its cause; nothing is sent."""
    credential.failure = failure
    async with connect(loopback, api_key=credential) as client:
        with pytest.raises(cls, match=f"no token for {SCOPE}: no such tenant") as caught:
            await client.chat.completions.create(**ASK)
    assert caught.value.__cause__ is failure
    assert loopback.requests == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AZURE_OPENAI_API_KEY": "k"}, ("k", None)),
        ({"AZURE_API_KEY": "k"}, ("k", None)),
        ({"AZURE_OPENAI_AD_TOKEN": "t"}, (None, "Bearer t")),
        ({"AZURE_AD_TOKEN": "t"}, (None, "Bearer t")),
        ({"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_AD_TOKEN": "t"}, (None, "Bearer t")),
    ],
)
async def test_a_token_of_the_environment_is_never_a_key(
    loopback: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    expected: tuple[str | None, str | None],
) -> None:
    """It goes before the key, as in `openai`'s client; an argument goes before both."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for api_key in (None, "argument"):
        async with connect(loopback, api_key=api_key) as client:
            await client.chat.completions.create(**ASK)
    assert [keys(request) for request in loopback.requests] == [expected, ("argument", None)]


async def test_no_key_at_all(loopback: Loopback) -> None:
    """It says what to set; a header of one's own is a key, too."""
    async with connect(loopback, api_key=None) as client:
        with pytest.raises(MissingKeyError, match=r"set AZURE_OPENAI_API_KEY.*credential.*entra"):
            await client.chat.completions.create(**ASK)
    assert loopback.requests == []
    async with connect(loopback, api_key=None, headers={"Api-Key": "h"}) as client:
        await client.chat.completions.create(**ASK)
    assert keys(loopback.requests[0]) == ("h", None)


# --- azure-identity -------------------------------------------------------------------------------------------------


async def test_entra_needs_azure_identity(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)
    async with connect(loopback, api_key=None, options={"entra": True}) as client:
        with pytest.raises(MissingDependencyError, match=r'pip install "onellm\[azure\]"'):
            await client.chat.completions.create(**ASK)
    assert loopback.requests == []


async def test_entra_takes_what_the_machine_has_and_closes_it(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DefaultAzureCredential`, also where a key lies about; closed as soon as there is a token."""
    identity = pytest.importorskip("azure.identity.aio")
    opened: list[Any] = []

    class Default:
        def __init__(self) -> None:
            self.closed = False
            opened.append(self)

        async def get_token(self, *scopes: str) -> Any:
            assert scopes == (SCOPE,)
            assert not self.closed
            return SimpleNamespace(token=f"entra-{len(opened)}", expires_on=4_000_000_000)

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            self.closed = True

    monkeypatch.setattr(identity, "DefaultAzureCredential", Default)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    loopback.plays(Answer(chunks=[CHAT]), Answer(status=401), Answer(chunks=[CHAT]))
    async with connect(loopback, api_key=None, options={"entra": True}) as client:
        for _ in range(2):
            await client.chat.completions.create(**ASK)
    assert [keys(request) for request in loopback.requests] == [
        (None, "Bearer entra-1"), (None, "Bearer entra-1"), (None, "Bearer entra-2")
    ]  # fmt: skip
    assert [each.closed for each in opened] == [True, True]


async def test_a_foreign_file_cannot_send_a_token_to_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the working directory may have come with somebody else's project."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "onellm.toml"
    file.write_text('[providers.azure]\nbase_url = "https://evil.example.com"\noptions = {entra = true}\n')
    async with AsyncOneLLM() as client:
        with pytest.raises(ConfigurationError, match=r"evil\.example\.com, comes from a file in the working directory"):
            await client.chat.completions.create(**ASK)
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "t")
    file.write_text('[providers.azure]\nbase_url = "https://evil.example.com"\n')
    async with AsyncOneLLM() as client:
        with pytest.raises(ConfigurationError, match="may not choose where such a key goes"):
            await client.chat.completions.create(**ASK)


async def test_a_credential_of_azure_identity(tmp_path: Path, loopback: Loopback) -> None:
    """A real one, against an authority on loopback: one token for all requests, under the scope's name."""
    identity: Any = pytest.importorskip("azure.identity.aio")
    trustme: Any = pytest.importorskip("trustme", reason="makes the certificates; it is in the test extra")
    import ssl  # noqa: PLC0415 - one test's

    made = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "authority.pem"
    made.cert_pem.write_to_path(str(trusted))
    async with Loopback(ssl=context) as authority:
        token = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "eyJ.real"}
        authority.plays(Answer(chunks=[token]))
        credential = identity.ClientSecretCredential(
            "tenant-1",
            "client-1",
            "hush",
            authority=authority.url,
            connection_verify=str(trusted),
            disable_instance_discovery=True,
        )
        async with credential as opened, connect(loopback, api_key=opened) as client:
            await asyncio.gather(*(client.chat.completions.create(**ASK) for _ in range(10)))
            assert isinstance(opened, TokenCredential)
        (asked,) = authority.requests
    assert asked.path == "/tenant-1/oauth2/v2.0/token"
    assert b"scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default" in asked.body
    assert {keys(request) for request in loopback.requests} == {(None, "Bearer eyJ.real")}
