"""What single hosts do differently, over a real socket: what was sent to each, and what was made of its answer.

The shapes of requests, answers and refusals are those that the hosts document or were recorded with.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from loopback import Answer, Loopback, sse, type_sse

from onellm import AsyncOneLLM
from onellm.dialects.openai.messages import short_id
from onellm.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthExceededError,
    InternalServerError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    RequestTimeoutError,
    UnsupportedParameterError,
)
from onellm.types.chat import ChatCompletion

ASK: Any = [{"role": "user", "content": "Hi"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"name": "s", "schema": {"type": "object"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
TEXTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def whole(message: dict[str, Any] | None = None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "Hello", **(message or {})}
    return {"id": "c", "model": "m", "choices": [{"index": 0, "message": said, "finish_reason": finish}], **more}


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def usage(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def client_of(loopback: Loopback, name: str, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"api_key": "k", "base_url": f"{loopback.url}/v1", **settings}})


async def ask(loopback: Loopback, name: str, **params: Any) -> ChatCompletion:
    """One call; a streamed answer is folded."""
    async with client_of(loopback, name) as client:
        reply = await client.chat.completions.create(**{"model": f"{name}/m", "messages": ASK, **params})
        return reply if isinstance(reply, ChatCompletion) else await reply.get_final_completion()


def streamed(*events: Any, done: bool = True) -> Answer:
    return Answer(chunks=sse(*events, done=done), content_type=type_sse)


# --- what is sent -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A call, what the body then holds, and what it does not."""

    row: str
    call: dict[str, Any]
    holds: dict[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()


HISTORY = [
    *ASK,
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "1"},
]
SHORT = short_id("call_1", 9)
SENT = {
    "mistral: the seed": Sent(row="mistral", call={"seed": 7}, holds={"random_seed": 7}, lacks=("seed",)),
    "mistral: any tool": Sent(
        row="mistral", call={"tools": [TOOL], "tool_choice": "required"}, holds={"tool_choice": "any"}
    ),
    "mistral: ids of nine": Sent(
        row="mistral",
        call={"messages": HISTORY},
        holds={
            "messages": [
                ASK[0],
                {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": SHORT}]},
                {"role": "tool", "tool_call_id": SHORT, "content": "1"},
            ]
        },
    ),
    "mistral: sound is a text": Sent(
        row="mistral",
        call={"messages": [{"role": "user", "content": [SOUND]}]},
        holds={"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": "UklGRg=="}]}]},
    ),
    "mistral: the limit": Sent(row="mistral", call={"max_completion_tokens": 5}, holds={"max_tokens": 5}),
    "mistral: takes a prediction": Sent(
        row="mistral",
        call={"prediction": {"type": "content", "content": "x"}},
        holds={"prediction": {"type": "content", "content": "x"}},
    ),
    "groq: no names": Sent(
        row="groq", call={"messages": [{**ASK[0], "name": "ann"}]}, holds={"messages": ASK}, lacks=("stream_options",)
    ),
    "groq: n=1 is what it does": Sent(row="groq", call={"n": 1}, lacks=("n",)),
    "together: logprobs are a number": Sent(
        row="together", call={"logprobs": True, "top_logprobs": 3}, holds={"logprobs": 3}, lacks=("top_logprobs",)
    ),
    "tgi: value": Sent(
        row="tgi",
        call={"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
        holds={"response_format": {"type": "json_schema", "value": SCHEMA}},
    ),
    "tgi: stop is a list": Sent(row="tgi", call={"stop": "x"}, holds={"stop": ["x"]}),
    "deepseek: text parts are one text": Sent(
        row="deepseek",
        call={"messages": [{"role": "user", "content": TEXTS}]},
        holds={"messages": [{"role": "user", "content": "a\nb"}]},
    ),
    "deepseek: a thinking switch": Sent(
        row="deepseek",
        call={"extra_body": {"thinking": {"type": "disabled"}}},
        holds={"thinking": {"type": "disabled"}},
    ),
    "sambanova: sound is a URL": Sent(
        row="sambanova",
        call={"messages": [{"role": "user", "content": [SOUND]}]},
        holds={
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "audio_content", "audio_content": {"content": "data:audio/wav;base64,UklGRg=="}}
                    ],
                }
            ]
        },
    ),
    "openrouter: routing": Sent(
        row="openrouter",
        call={"extra_body": {"provider": {"order": ["x"]}, "models": ["a/b"], "transforms": []}},
        holds={"provider": {"order": ["x"]}, "models": ["a/b"], "transforms": []},
    ),
    "huggingface: who runs it": Sent(
        row="huggingface", call={"model": "huggingface/org/m:groq"}, holds={"model": "org/m:groq"}
    ),
    "publicai: texts only": Sent(
        row="publicai",
        call={"messages": [{"role": "user", "content": TEXTS}], "max_completion_tokens": 3},
        holds={"messages": [{"role": "user", "content": "a\nb"}], "max_tokens": 3},
    ),
}


@pytest.mark.parametrize("case", SENT.values(), ids=SENT)
async def test_what_is_sent(case: Sent, loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[whole()]))
    await ask(loopback, case.row, **case.call)
    body = loopback.requests[0].json
    assert {name: body.get(name) for name in case.holds} == case.holds
    assert not set(case.lacks) & set(body)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *(
        ("mistral", {name: value}, name)
        for name, value in {"user": "u", "logit_bias": {"1": 1}, "store": True, "logprobs": True}.items()
    ),
    ("groq", {"n": 2}, "n"),
    ("groq", {"logprobs": True}, "logprobs"),
    ("perplexity", {"tools": [TOOL]}, "tools"),
    ("perplexity", {"stop": "x"}, "stop"),
    ("perplexity", {"response_format": {"type": "json_object"}}, "response_format"),
    ("deepseek", {"response_format": {"type": "json_schema", "json_schema": SCHEMA}}, "response_format"),
    ("moonshot", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
    ("minimax", {"n": 2}, "n"),
    ("sambanova", {"seed": 1}, "seed"),
    ("tgi", {"logit_bias": {"1": 1}}, "logit_bias"),
    ("tgi", {"response_format": {"type": "json_object"}}, "response_format"),
]


@pytest.mark.parametrize(("row", "call", "param"), REFUSED, ids=[f"{row}: {param}" for row, _, param in REFUSED])
async def test_what_a_host_lacks_is_said_before_anything_is_sent(
    row: str, call: dict[str, Any], param: str, loopback: Loopback
) -> None:
    with pytest.raises(UnsupportedParameterError, match=param) as caught:
        await ask(loopback, row, **call)
    assert caught.value.provider == row
    assert loopback.requests == []


async def test_options_of_openrouter_are_headers(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[whole()]))
    options = {"site_url": "https://a.example", "app_name": "App"}
    async with client_of(loopback, "openrouter", options=options) as client:
        await client.chat.completions.create(model="openrouter/a/m", messages=ASK)
    sent = loopback.requests[0].headers
    assert (sent["http-referer"], sent["x-openrouter-title"]) == ("https://a.example", "App")
    assert loopback.requests[0].json["model"] == "a/m"


async def test_cloudflares_account_is_in_the_url(loopback: Loopback) -> None:
    """From the options; where a base URL is given, in that."""
    loopback.plays(Answer(chunks=[whole()]))
    address = f"{loopback.url}/accounts/{{account_id}}/ai/v1"
    async with client_of(loopback, "cloudflare", base_url=address, options={"account_id": "a1"}) as client:
        await client.chat.completions.create(model="cloudflare/@cf/org/m", messages=ASK)
    assert loopback.requests[0].path == "/accounts/a1/ai/v1/chat/completions"
    assert loopback.requests[0].json["model"] == "@cf/org/m"


# --- what a host wants back ---------------------------------------------------------------------------------------

DETAILS = [{"type": "reasoning.text", "text": "hm", "signature": "s1", "index": 0}]
SIGNED = {"google": {"thought_signature": "s1"}}
BACK: list[tuple[str, dict[str, Any], str]] = [
    ("deepseek", {"reasoning_content": "hm"}, '"reasoning_content":"hm"'),
    ("moonshot", {"reasoning_content": "hm"}, '"reasoning_content":"hm"'),
    ("openrouter", {"reasoning_details": DETAILS}, '"signature":"s1"'),
    ("minimax", {"reasoning_details": DETAILS}, '"signature":"s1"'),
    ("google-openai", {"tool_calls": [{**CALL, "extra_content": SIGNED}]}, '"thought_signature":"s1"'),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("row", "message", "trace"), BACK, ids=[row for row, *_ in BACK])
async def test_what_a_host_wants_back_goes_to_it_and_to_no_other(
    row: str, message: dict[str, Any], trace: str, stream: bool, loopback: Loopback
) -> None:
    message = {"tool_calls": [CALL], **message}
    answer = streamed(chunk(message), chunk({}, "tool_calls")) if stream else Answer(chunks=[whole(message)])
    loopback.plays(answer, Answer(chunks=[whole()]))
    reply = await ask(loopback, row, stream=stream)
    history = [*ASK, reply.choices[0].message, {"role": "tool", "tool_call_id": "call_1", "content": "1"}]
    await ask(loopback, row, messages=history)
    await ask(loopback, "together", messages=history)
    back, other = (json.dumps(request.json, separators=(",", ":")) for request in loopback.requests[1:])
    assert trace in back
    assert trace not in other


# --- what is read -------------------------------------------------------------------------------------------------


async def test_togethers_lists_are_log_probabilities(loopback: Loopback) -> None:
    answer = whole()
    answer["choices"][0]["logprobs"] = {"tokens": ["He", "llo"], "token_logprobs": [-0.5, None], "token_ids": [1, 2]}
    loopback.plays(Answer(chunks=[answer]))
    reply = await ask(loopback, "together", logprobs=True)
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert [(item.token, item.logprob) for item in logprobs.content or ()] == [("He", -0.5), ("llo", 0.0)]


@pytest.mark.parametrize("stream", [False, True])
async def test_perplexitys_sources_are_citations_and_its_usage_is_the_last(stream: bool, loopback: Loopback) -> None:
    """Each chunk repeats the message so far, the sources and the usage so far."""
    found: dict[str, Any] = {
        "citations": ["https://a.example"],
        "search_results": [{"url": "https://a.example", "title": "A", "snippet": "a"}],
    }
    pieces = [("Hel", usage(1, 1)), ("lo", usage(1, 2))]
    chunks = [chunk({"content": text}, usage=counted, **found) for text, counted in pieces]
    chunks[0]["choices"][0]["message"] = {"role": "assistant", "content": "Hel"}
    chunks[1]["choices"][0] |= {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    loopback.plays(streamed(*chunks, done=False) if stream else Answer(chunks=[whole(usage=usage(1, 2), **found)]))
    reply = await ask(loopback, "perplexity", stream=stream)
    assert "stream_options" not in loopback.requests[0].json
    message = reply.choices[0].message
    assert message.content == "Hello"
    assert [(source.url, source.title) for source in message.citations or ()] == [("https://a.example", "A")]
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 2


async def test_moonshots_usage_stands_in_the_choice(loopback: Loopback) -> None:
    last = chunk({}, "stop")
    last["choices"][0]["usage"] = usage(9, 2)
    loopback.plays(streamed(chunk({"content": "Hello"}), last))
    reply = await ask(loopback, "moonshot", stream=True)
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (9, 2)


@pytest.mark.parametrize(("row", "name"), [("moonshot", "cached_tokens"), ("deepseek", "prompt_cache_hit_tokens")])
@pytest.mark.parametrize("stream", [False, True])
async def test_cached_tokens_under_the_hosts_name(row: str, name: str, stream: bool, loopback: Loopback) -> None:
    counted = usage(9, 2, **{name: 5})
    last = chunk({}, "stop", usage=counted)
    loopback.plays(streamed(chunk({"content": "Hello"}), last) if stream else Answer(chunks=[whole(usage=counted)]))
    reply = await ask(loopback, row, stream=stream)
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 5


async def test_xais_reasoning_is_added_once(loopback: Loopback) -> None:
    """Its count leaves reasoning out, while its total has it."""
    counted = {**usage(9, 2, completion_tokens_details={"reasoning_tokens": 30}), "total_tokens": 41}
    whole_answer = Answer(chunks=[whole(usage=counted)])
    loopback.plays(whole_answer, streamed(chunk({"content": "Hello"}, usage=counted), chunk({}, "stop", usage=counted)))
    for stream in (False, True):
        reply = await ask(loopback, "xai", stream=stream)
        assert reply.usage is not None
        assert (reply.usage.completion_tokens, reply.usage.total_tokens) == (32, 41)


async def test_googles_parallel_calls_at_one_index(loopback: Loopback) -> None:
    """All say index 0 and have ids of their own; a signature may come by itself; the end says "stop"."""
    calls = [{**CALL, "index": 0, "id": f"call_{number}"} for number in (1, 2)]
    signature = {"index": 0, "id": "call_2", "type": "function", "extra_content": SIGNED}
    loopback.plays(streamed(*(chunk({"tool_calls": [call]}) for call in (*calls, signature)), chunk({}, "stop")))
    reply = await ask(loopback, "google-openai", tools=[TOOL], stream=True)
    found = reply.choices[0].message.tool_calls or []
    assert [(call.id, call.function.arguments, call.extra_content) for call in found] == [
        ("call_1", "{}", None),
        ("call_2", "{}", SIGNED),
    ]


@pytest.mark.parametrize("before", ["\n\n\n", " \n\t\n"])
async def test_blank_lines_before_a_body_keep_it_alive(before: str, loopback: Loopback) -> None:
    """DeepSeek sends them while a call waits in its queue."""
    loopback.plays(Answer(chunks=[before, before, whole()]))
    reply = await ask(loopback, "deepseek")
    assert reply.choices[0].message.content == "Hello"
    assert len(loopback.requests) == 1


@pytest.mark.parametrize(
    ("row", "comment"), [("deepseek", b": keep-alive\n\n"), ("openrouter", b": OPENROUTER PROCESSING\n\n")]
)
async def test_comments_in_a_stream_keep_it_alive(row: str, comment: bytes, loopback: Loopback) -> None:
    loopback.plays(streamed(comment, comment, chunk({"content": "Hello"}), comment, chunk({}, "stop")))
    reply = await ask(loopback, row, stream=True)
    assert reply.choices[0].message.content == "Hello"


# --- refusals -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer, the exception that it is, and how often the call was sent."""

    row: str
    body: Any
    error: type[APIStatusError]
    status: int = 200
    sent: int = 1


GOOGLE = {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
REFUSALS = {
    "zai: balance": Refusal(
        row="zai", status=429, body={"error": {"code": "1113", "message": "balance"}}, error=QuotaExceededError
    ),
    "zai: rate": Refusal(
        row="zai", status=429, body={"error": {"code": "1302", "message": "rate"}}, error=RateLimitError, sent=3
    ),
    "moonshot: quota": Refusal(
        row="moonshot",
        status=429,
        body={"error": {"type": "exceeded_current_quota_error", "message": "quota"}},
        error=QuotaExceededError,
    ),
    "moonshot: overloaded": Refusal(
        row="moonshot",
        status=429,
        body={"error": {"type": "engine_overloaded_error", "message": "busy"}},
        error=OverloadedError,
        sent=3,
    ),
    "deepseek: balance": Refusal(
        row="deepseek",
        status=402,
        body={"error": {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}},
        error=QuotaExceededError,
    ),
    **{
        f"minimax: {code}": Refusal(
            row="minimax", body={"base_resp": {"status_code": code, "status_msg": "no"}}, error=error, sent=sent
        )
        for code, error, sent in (
            (1004, AuthenticationError, 1),
            (1008, QuotaExceededError, 1),
            (1026, ContentFilterError, 1),
            (1039, ContextLengthExceededError, 1),
            (1002, RateLimitError, 3),
        )
    },
    "mistral: ids": Refusal(
        row="mistral",
        status=400,
        body={"object": "error", "message": "Tool call id", "type": "invalid_function_call", "code": "3280"},
        error=BadRequestError,
    ),
    "google: an array": Refusal(
        row="google-openai",
        status=400,
        body=[{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}],
        error=BadRequestError,
    ),
    "google: a wrong key is a 400": Refusal(
        row="google-openai",
        status=400,
        body=[
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
                }
            }
        ],
        error=AuthenticationError,
    ),
    "groq: flex capacity": Refusal(
        row="groq",
        status=498,
        body={"error": {"message": "no capacity", "type": "flex", "code": "capacity_exceeded"}},
        error=OverloadedError,
        sent=3,
    ),
    "openrouter: 524": Refusal(
        row="openrouter",
        status=524,
        body={"error": {"code": 524, "message": "late"}},
        error=RequestTimeoutError,
        sent=3,
    ),
    "openrouter: 529": Refusal(
        row="openrouter", status=529, body={"error": {"code": 529, "message": "busy"}}, error=OverloadedError, sent=3
    ),
    "openrouter: inside a 200": Refusal(
        row="openrouter", body={"error": {"code": 402, "message": "credits"}}, error=QuotaExceededError
    ),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
async def test_refusals(case: Refusal, loopback: Loopback) -> None:
    """By the host's own code; what no waiting ends is sent once."""
    loopback.plays(Answer(status=case.status, chunks=[case.body]))
    with pytest.raises(case.error) as caught:
        await ask(loopback, case.row)
    assert type(caught.value) is case.error
    assert caught.value.provider == case.row
    assert len(loopback.requests) == case.sent


async def test_googles_retry_info_is_obeyed(loopback: Loopback, waits: list[float]) -> None:
    refusal = [{"error": {**GOOGLE, "details": [RETRY_INFO]}}]
    loopback.plays(Answer(status=429, chunks=[refusal]), Answer(chunks=[whole()]))
    await ask(loopback, "google-openai")
    [waited] = waits
    assert 7 <= waited < 9
    assert len(loopback.requests) == 2


BROKEN: list[tuple[str, dict[str, Any]]] = [
    (
        "openrouter",
        {
            "error": {"code": 502, "message": "went away"},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        },
    ),
    ("groq", chunk({}, x_groq={"id": "req_1", "error": "went away"})),
]


@pytest.mark.parametrize(("row", "event"), BROKEN, ids=[row for row, _ in BROKEN])
async def test_an_error_inside_a_stream(row: str, event: dict[str, Any], loopback: Loopback) -> None:
    """What came before it was handed out; it is not sent again."""
    loopback.plays(streamed(chunk({"content": "Hel"}), event))
    said: list[str] = []
    async with client_of(loopback, row) as client:
        with pytest.raises(InternalServerError, match="went away"):
            async with await client.chat.completions.create(model=f"{row}/m", messages=ASK, stream=True) as stream:
                async for text in stream.text():
                    said.append(text)  # noqa: PERF401 - one by one
    assert said == ["Hel"]
    assert len(loopback.requests) == 1
