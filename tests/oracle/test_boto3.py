"""`boto3` and OneLLM make the same calls against one server: the same path, the same JSON.

botocore's service model validates each body, its signer recomputes each signature, its parser reads each frame.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# boto3 has no types.

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded
from wire import bedrock, messages
from wire.eventstream import event, exception

from onellm import AsyncOneLLM
from onellm.errors import RateLimitError, ResponseDecodeError
from onellm.transport.eventstream import EventStreamDecoder
from onellm.types.anthropic import AnthropicOptions
from onellm.types.bedrock import BedrockOptions, Guardrail

boto3 = pytest.importorskip("boto3")
botocore_auth = pytest.importorskip("botocore.auth")
awsrequest = pytest.importorskip("botocore.awsrequest")
botocore_config = pytest.importorskip("botocore.config")
botocore_credentials = pytest.importorskip("botocore.credentials")
botocore_eventstream = pytest.importorskip("botocore.eventstream")
botocore_session = pytest.importorskip("botocore.session")
botocore_validate = pytest.importorskip("botocore.validate")

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
REGION = "us-east-1"
KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="

PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-1.7"
SCHEMA = {"type": "object", "properties": {"città": {"type": "string"}}, "required": ["città"]}


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


HI = {"role": "user", "content": "Hi, Grüße \U0001f600"}
THEIR_HI = {"role": "user", "content": [{"text": "Hi, Grüße \U0001f600"}]}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather", "parameters": SCHEMA, "strict": True},
}
THEIR_TOOL = {
    "toolSpec": {"name": "weather", "description": "The weather", "inputSchema": {"json": SCHEMA}, "strict": True}
}
CALLS = [
    {"id": f"call_{at}", "type": "function", "function": {"name": "weather", "arguments": f'{{"città": "{at}"}}'}}
    for at in "ab"
]
THEIR_CALLS = [{"toolUse": {"toolUseId": f"call_{at}", "name": "weather", "input": {"città": at}}} for at in "ab"]
RESULTS: list[dict[str, Any]] = [
    {"role": "tool", "tool_call_id": "call_a", "content": "21 °C"},
    {"role": "tool", "tool_call_id": "call_b", "content": "no such city", "status": "error"},
]
THEIR_RESULTS = [
    {"toolResult": {"toolUseId": "call_a", "content": [{"text": "21 °C"}]}},
    {"toolResult": {"toolUseId": "call_b", "content": [{"text": "no such city"}], "status": "error"}},
]
REASONING = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "EqQB/+=="}}}
REDACTED = b"\x00\xffsecret"

# Each case: our arguments, and theirs for the same call.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"messages": [HI]}, {"messages": [THEIR_HI]}),
    "a system text and several turns": (
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
                HI,
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "Again."},
            ]
        },
        {
            "system": [{"text": "Be brief."}, {"text": "Be kind."}],
            "messages": [
                THEIR_HI,
                {"role": "assistant", "content": [{"text": "Hello."}]},
                {"role": "user", "content": [{"text": "Again."}]},
            ],
        },
    ),
    "turns of one role after another": (
        {"messages": [HI, {"role": "user", "content": "And?"}, {"role": "assistant", "content": "a"}, RESULTS[0]]},
        {
            "messages": [
                {"role": "user", "content": [*THEIR_HI["content"], {"text": "And?"}]},
                {"role": "assistant", "content": [{"text": "a"}]},
                {"role": "user", "content": [THEIR_RESULTS[0]]},
            ]
        },
    ),
    "sampling": (
        {"messages": [HI], "max_tokens": 9, "temperature": 0.5, "top_p": 0.25, "stop": ["X", "Y"]},
        {
            "messages": [THEIR_HI],
            "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.25, "stopSequences": ["X", "Y"]},
        },
    ),
    "a temperature that is clamped, one stop": (
        {"messages": [HI], "max_completion_tokens": 9, "temperature": 1.5, "stop": "X"},
        {
            "messages": [THEIR_HI],
            "inferenceConfig": {"maxTokens": 9, "temperature": 1, "stopSequences": ["X"]},
        },
    ),
    "tools": (
        {"messages": [HI], "tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": True},
        {"messages": [THEIR_HI], "toolConfig": {"tools": [THEIR_TOOL], "toolChoice": {"auto": {}}}},
    ),
    "some tool": (
        {"messages": [HI], "tools": [TOOL], "tool_choice": "required"},
        {"messages": [THEIR_HI], "toolConfig": {"tools": [THEIR_TOOL], "toolChoice": {"any": {}}}},
    ),
    "one tool": (
        {
            "messages": [HI],
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
        },
        {
            "messages": [THEIR_HI],
            "toolConfig": {"tools": [THEIR_TOOL], "toolChoice": {"tool": {"name": "weather"}}},
        },
    ),
    "no tool": ({"messages": [HI], "tools": [TOOL], "tool_choice": "none"}, {"messages": [THEIR_HI]}),
    "parallel calls and their results": (
        {
            "messages": [HI, {"role": "assistant", "content": "Looking.", "tool_calls": CALLS}, *RESULTS],
            "tools": [TOOL],
        },
        {
            "messages": [
                THEIR_HI,
                {"role": "assistant", "content": [{"text": "Looking."}, *THEIR_CALLS]},
                {"role": "user", "content": THEIR_RESULTS},
            ],
            "toolConfig": {"tools": [THEIR_TOOL]},
        },
    ),
    "calls in the history, and no tools": (
        {"messages": [HI, {"role": "assistant", "content": None, "tool_calls": CALLS}, *RESULTS]},
        {
            "messages": [
                THEIR_HI,
                {"role": "assistant", "content": THEIR_CALLS},
                {"role": "user", "content": THEIR_RESULTS},
            ],
            "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]},
        },
    ),
    "an image": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is it?"},
                        {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{b64(PNG)}"}},
                        {"type": "image_url", "image_url": {"url": "s3://bucket/a/b.webp"}},
                    ],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": "What is it?"},
                        {"image": {"format": "jpeg", "source": {"bytes": PNG}}},
                        {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/a/b.webp"}}}},
                    ],
                }
            ]
        },
    ),
    "documents of one name": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "file",
                            "file": {"filename": name, "file_data": f"data:application/pdf;base64,{b64(PDF)}"},
                        }
                        for name in ("Überschrift_v1.2.pdf", "Überschrift_v1.2.pdf", "")
                    ]
                    + [{"type": "file", "file": {"filename": "n.md", "file_data": "data:text/plain,a%20b"}}],
                }
            ],
            "bedrock": BedrockOptions(citations=True),
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": "."},
                        *(
                            {
                                "document": {
                                    "format": "pdf",
                                    "name": name,
                                    "source": {"bytes": PDF},
                                    "citations": {"enabled": True},
                                }
                            }
                            for name in ("berschrift v1 2", "berschrift v1 2 (2)", "document")
                        ),
                        {
                            "document": {
                                "format": "txt",
                                "name": "n",
                                "source": {"bytes": b"a b"},
                                "citations": {"enabled": True},
                            }
                        },
                    ],
                }
            ]
        },
    ),
    "sound and a film": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_audio", "input_audio": {"data": b64(b"RIFF"), "format": "wav"}},
                        {"type": "video_url", "video_url": {"url": f"data:video/quicktime;base64,{b64(b'moov')}"}},
                    ],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"audio": {"format": "wav", "source": {"bytes": b"RIFF"}}},
                        {"video": {"format": "mov", "source": {"bytes": b"moov"}}},
                    ],
                }
            ]
        },
    ),
    "a schema": (
        {
            "messages": [HI],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "description": "d", "schema": SCHEMA, "strict": True},
            },
        },
        {
            "messages": [THEIR_HI],
            "outputConfig": {
                "textFormat": {
                    "type": "json_schema",
                    "structure": {
                        "jsonSchema": {
                            "schema": json.dumps(SCHEMA, separators=(",", ":"), ensure_ascii=False),
                            "name": "answer",
                            "description": "d",
                        }
                    },
                }
            },
        },
    ),
    "reasoning": (
        {"messages": [HI], "reasoning_effort": "high"},
        {"messages": [THEIR_HI], "outputConfig": {"effort": "high"}},
    ),
    "reasoning where the model looks for it": (
        {
            "messages": [HI],
            "reasoning_effort": "high",
            "bedrock": BedrockOptions(effort_field="output_config.effort", fields={"thinking": {"type": "adaptive"}}),
        },
        {
            "messages": [THEIR_HI],
            "additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        },
    ),
    "thinking that goes back in": (
        {
            "messages": [
                HI,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": CALLS[:1],
                    "provider_data": {
                        "provider": "bedrock",
                        "data": {
                            "blocks": [
                                REASONING,
                                {"reasoningContent": {"redactedContent": b64(REDACTED)}},
                                THEIR_CALLS[0],
                            ]
                        },
                    },
                },
                RESULTS[0],
            ],
            "tools": [TOOL],
        },
        {
            "messages": [
                THEIR_HI,
                {
                    "role": "assistant",
                    "content": [
                        REASONING,
                        {"reasoningContent": {"redactedContent": REDACTED}},
                        THEIR_CALLS[0],
                    ],
                },
                {"role": "user", "content": [THEIR_RESULTS[0]]},
            ],
            "toolConfig": {"tools": [THEIR_TOOL]},
        },
    ),
    "cache marks": (
        {
            "messages": [
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                        {"type": "text", "text": "y"},
                    ],
                },
            ],
            "tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}],
        },
        {
            "system": [{"text": "Long."}, {"cachePoint": {"type": "default"}}],
            "messages": [
                {
                    "role": "user",
                    "content": [{"text": "x"}, {"cachePoint": {"type": "default", "ttl": "1h"}}, {"text": "y"}],
                }
            ],
            "toolConfig": {"tools": [THEIR_TOOL, {"cachePoint": {"type": "default"}}]},
        },
    ),
    "cache points by option": (
        {
            "messages": [{"role": "system", "content": "Long."}, HI],
            "tools": [TOOL],
            "bedrock": BedrockOptions(cache_points=("tools", "system", "messages"), cache_ttl="5m"),
        },
        {
            "system": [{"text": "Long."}, {"cachePoint": {"type": "default", "ttl": "5m"}}],
            "messages": [
                {"role": "user", "content": [*THEIR_HI["content"], {"cachePoint": {"type": "default", "ttl": "5m"}}]}
            ],
            "toolConfig": {"tools": [THEIR_TOOL, {"cachePoint": {"type": "default", "ttl": "5m"}}]},
        },
    ),
    "the service": (
        {
            "messages": [HI],
            "service_tier": "flex",
            "metadata": {"team": "search"},
            "bedrock": BedrockOptions(
                guardrail=Guardrail(identifier="274u1upxm897", version="1", trace="enabled"),
                latency="optimized",
                response_fields=["/stop_sequence"],
                prompt_variables={"city": "Rome"},
                fields={"top_k": 5},
                system_tools=["nova_grounding"],
            ),
        },
        {
            "messages": [THEIR_HI],
            "serviceTier": {"type": "flex"},
            "requestMetadata": {"team": "search"},
            "guardrailConfig": {"guardrailIdentifier": "274u1upxm897", "guardrailVersion": "1", "trace": "enabled"},
            "performanceConfig": {"latency": "optimized"},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
            "promptVariables": {"city": {"text": "Rome"}},
            "additionalModelRequestFields": {"top_k": 5},
            "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
        },
    ),
    "blocks of its own": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "guardContent", "guardContent": {"text": {"text": "q", "qualifiers": ["query"]}}},
                        {"type": "text", "text": "x"},
                        {"type": "text", "text": "  "},
                    ],
                }
            ],
            "service_tier": "auto",
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"guardContent": {"text": {"text": "q", "qualifiers": ["query"]}}}, {"text": "x"}],
                }
            ]
        },
    ),
}


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for variable in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    async with Loopback() as loopback:
        loopback.chooses(play)
        yield loopback


def play(request: Recorded) -> Answer:
    if request.path.endswith("-stream"):
        return Answer(chunks=bedrock.STREAM, content_type=bedrock.STREAM_TYPE)
    if request.path.endswith("/count-tokens"):
        return Answer(chunks=[b'{"inputTokens":7}'])
    if request.path.startswith("/foundation-models"):
        return Answer(chunks=[bedrock.model() if request.path.count("/") > 1 else bedrock.models()])
    return Answer(chunks=[bedrock.ANSWER])


def ours(server: Loopback, token: str | None = TOKEN) -> AsyncOneLLM:
    options = {**KEYS, "region": REGION, **({"session_token": token} if token else {})}
    return AsyncOneLLM(providers={"bedrock": {"base_url": server.url, "options": options}}, max_retries=0)


def theirs(server: Loopback, service: str = "bedrock-runtime", token: str | None = TOKEN) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=server.url,
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
        aws_session_token=token,
        config=botocore_config.Config(retries={"total_max_attempts": 1}),
    )


def check_signature(server: Loopback, request: Recorded, token: str | None = TOKEN) -> None:
    """botocore's own signer, given the request as it arrived, comes to the same signature."""
    headers = {
        name: request.headers[name]
        for name in ("content-type", "host", "x-amz-date", "x-amz-security-token")
        if name in request.headers
    }
    seen = awsrequest.AWSRequest(
        method=request.method, url=server.url + request.target, data=request.body, headers=headers
    )
    seen.context["timestamp"] = request.headers["x-amz-date"]
    keys = botocore_credentials.Credentials(KEYS["access_key_id"], KEYS["secret_access_key"], token)
    signer = botocore_auth.SigV4Auth(keys, "bedrock", REGION)
    text = signer.string_to_sign(seen, signer.canonical_request(seen))
    signed = ";".join(sorted(headers))
    assert request.headers["authorization"].endswith(
        f"/{REGION}/bedrock/aws4_request, SignedHeaders={signed}, Signature={signer.signature(text, seen)}"
    )
    assert request.headers.get("x-amz-security-token") == token


def check_body(operation: str, request: Recorded, model: str) -> None:
    """botocore's model of the service finds nothing wrong with it."""
    session = botocore_session.get_session()
    shape = session.get_service_model("bedrock-runtime").operation_model(operation).input_shape
    report = botocore_validate.ParamValidator().validate({**request.json, "modelId": model}, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CASES)
async def test_chat_requests_are_the_same(name: str, stream: bool, server: Loopback) -> None:
    mine, given = CASES[name]
    client = theirs(server)
    if stream:
        answer = await asyncio.to_thread(client.converse_stream, modelId=MODEL, **given)
        await asyncio.to_thread(list, answer["stream"])
    else:
        await asyncio.to_thread(client.converse, modelId=MODEL, **given)
    client.close()
    async with ours(server) as one:
        reply: Any = await one.chat.completions.create(model=f"bedrock/{MODEL}", stream=stream, **mine)
        if stream:
            await reply.get_final_completion()
    theirs_, ours_ = server.requests
    assert (ours_.method, ours_.target) == (theirs_.method, theirs_.target)
    assert ours_.json == theirs_.json
    check_body("ConverseStream" if stream else "Converse", ours_, MODEL)
    check_signature(server, ours_)


@pytest.mark.parametrize("token", [None, TOKEN], ids=["keys", "session"])
@pytest.mark.parametrize("model", [MODEL, ARN, "amazon.nova-micro-v1:0", "odd id/with spaces+and~ü"])
async def test_paths_and_signatures(model: str, token: str | None, server: Loopback) -> None:
    """An id is one segment, its colons and slashes escaped, also on the wire; so it is signed."""
    async with ours(server, token) as one:
        await one.chat.completions.create(model=f"bedrock/{model}", messages=[HI])  # type: ignore[list-item] # pyright: ignore[reportArgumentType] - a plain dict
        await one.models.list("bedrock")
        await one.models.retrieve(f"bedrock/{model}")
    chat, listed, single = server.requests
    assert ":" not in chat.path
    assert chat.path.count("/") == 3
    assert (listed.path, single.path.count("/")) == ("/foundation-models", 2)
    for request in server.requests:
        check_signature(server, request, token)
    if model.isascii() and " " not in model:
        client = theirs(server)
        await asyncio.to_thread(client.converse, modelId=model, messages=[THEIR_HI])
        client.close()
        assert server.requests[-1].target == chat.target


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_messages_by_invoke_model(stream: bool, server: Loopback) -> None:
    """What is asked with Anthropic's options goes as Messages, where boto3 sends it, and signed."""
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["beta-1"],
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "top_k": 5,
    }
    inner = [piece.partition(b"data: ")[2].strip() for piece in messages.STREAM]
    frames = [event("chunk", {"bytes": b64(data), "p": "abc"}) for data in inner if data]
    server.plays(
        Answer(chunks=frames, content_type=bedrock.STREAM_TYPE) if stream else Answer(chunks=[messages.ANSWER])
    )
    client = theirs(server)
    call = client.invoke_model_with_response_stream if stream else client.invoke_model
    answer = await asyncio.to_thread(call, modelId=ARN, body=json.dumps(body), contentType="application/json")
    await asyncio.to_thread(list if stream else lambda whole: whole.read(), answer["body"])
    client.close()
    async with ours(server) as one:
        reply: Any = await one.chat.completions.create(
            model=f"bedrock/{ARN}",
            messages=[{"role": "user", "content": "Hi"}],
            max_tokens=9,
            anthropic=AnthropicOptions(top_k=5, betas=("beta-1",)),
            stream=stream,
        )
        reply = await reply.get_final_completion() if stream else reply
    theirs_, ours_ = server.requests
    assert (ours_.target, ours_.json) == (theirs_.target, theirs_.json)
    check_signature(server, ours_)
    assert reply.choices[0].message.content == bedrock.TEXT


async def test_messages_refused_inside_a_stream(server: Loopback) -> None:
    """By a frame that is an exception, or one that was changed."""
    broken = bytearray(event("chunk", {"bytes": ""}))
    broken[-1] ^= 1
    async with ours(server) as one:
        for frame, error in (
            (exception("throttlingException", {"message": "slow"}), RateLimitError),
            (bytes(broken), ResponseDecodeError),
            (event("chunk", {"bytes": 5}), ResponseDecodeError),
        ):
            server.plays(Answer(chunks=[frame], content_type=bedrock.STREAM_TYPE))
            with pytest.raises(error):
                await one.chat.completions.create(
                    model="bedrock/m",
                    messages=[{"role": "user", "content": "Hi"}],
                    anthropic=AnthropicOptions(),
                    stream=True,
                )


async def test_counts_of_tokens_are_asked_for_alike(server: Loopback) -> None:
    """Without the region of an inference profile, which the service does not count for."""
    mine, given = CASES["tools"]
    client = theirs(server)
    counted: dict[str, Any] = await asyncio.to_thread(
        client.count_tokens, modelId=MODEL.removeprefix("us."), input={"converse": given}
    )
    client.close()
    async with ours(server) as one:
        count = await one.chat.completions.count_tokens(model=f"bedrock/{MODEL}", **mine)
    theirs_, ours_ = server.requests
    assert (ours_.target, ours_.json) == (theirs_.target, theirs_.json)
    assert count.input_tokens == counted["inputTokens"] == 7
    assert count.adjustments == (f"asked {MODEL.removeprefix('us.')}, as inference profiles do not count",)


async def test_models_are_asked_for_alike(server: Loopback) -> None:
    client = theirs(server, "bedrock")
    await asyncio.to_thread(client.list_foundation_models)
    await asyncio.to_thread(client.get_foundation_model, modelIdentifier=ARN)
    client.close()
    async with ours(server) as one:
        await one.models.list("bedrock")
        await one.models.retrieve(f"bedrock/{ARN}")
    targets = [(request.method, request.target, request.body) for request in server.requests]
    assert targets[:2] == targets[2:]


@pytest.mark.parametrize("stream", [bedrock.STREAM, bedrock.TOOL_STREAM], ids=["text", "tools"])
def test_frames_are_read_alike(stream: list[bytes]) -> None:
    """To the same headers and the same payload."""
    buffer = botocore_eventstream.EventStreamBuffer()
    buffer.add_data(b"".join(stream))
    assert [(dict(one.headers), one.payload) for one in EventStreamDecoder().feed(b"".join(stream))] == [
        (dict(one.headers), one.payload) for one in buffer
    ]
