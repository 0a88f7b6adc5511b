"""What people write for `openai`. Beside it stands the same for OneLLM: only imports and model names differ."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import onellm as openai
from onellm import AsyncOneLLM as AsyncOpenAI
from onellm import OneLLM as OpenAI
from onellm import OneLLMError as OpenAIError

CHAT = "openai/gpt-5.4-mini"
EMBEDDING = "openai/text-embedding-3-small"
IMAGE = "openai/gpt-image-2"
HEARD = "openai/gpt-transcribe"
SPOKEN = "openai/gpt-4o-mini-tts"
COMPLETION = "openai/davinci-002"
MODERATION = "openai/omni-moderation-latest"
MISSING = "openai/gpt-none"
LIMITED = "openai/gpt-limited"
POOR = "openai/gpt-poor"

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def chat(client):
    reply = client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": "Hello"}], temperature=0.2, max_completion_tokens=50
    )
    print(reply.choices[0].message.content, reply.choices[0].finish_reason)
    print(reply.id, reply.model, reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens)
    print(reply.model_dump()["choices"][0]["message"]["role"], json.loads(reply.model_dump_json())["object"])


def stream(client):
    pieces = []
    for chunk in client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Count"}],
        stream=True,
        stream_options={"include_usage": True},
    ):
        if chunk.choices and chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
        if chunk.usage is not None:
            print("tokens", chunk.usage.total_tokens)
    print("".join(pieces))
    with client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": "Count"}], stream=True
    ) as events:
        print(next(iter(events)).object)


def tools(client):
    messages = [{"role": "user", "content": "Is it warm in Rome?"}]
    reply = client.chat.completions.create(model=CHAT, messages=messages, tools=TOOLS, tool_choice="auto")
    message = reply.choices[0].message
    messages.append(message)
    for call in message.tool_calls or []:
        given = json.loads(call.function.arguments)
        print(call.id, call.type, call.function.name, given["city"])
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 °C"})
    reply = client.chat.completions.create(model=CHAT, messages=messages, tools=TOOLS)
    print(reply.choices[0].message.content, reply.choices[0].message.tool_calls)


def embed(client):
    reply = client.embeddings.create(model=EMBEDDING, input=["a cat", "a kitten"])
    print([(item.index, list(item.embedding)) for item in reply.data], reply.usage.total_tokens)


def others(client):
    print(client.completions.create(model=COMPLETION, prompt="Once", max_tokens=5).choices[0].text)
    result = client.moderations.create(model=MODERATION, input="I love cats").results[0]
    print(result.flagged, result.categories.violence, result.category_scores.violence)
    print([model.id for model in client.models.list()], client.models.retrieve(CHAT).owned_by)


def images(client, folder):
    reply = client.images.generate(model=IMAGE, prompt="a cat", size="1024x1024", n=1)
    print(reply.created, reply.data[0].b64_json, reply.data[0].url)
    picture = folder / "cat.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    with picture.open("rb") as file:
        print(len(client.images.edit(model=IMAGE, image=file, prompt="a hat").data))


def audio(client, folder):
    spoken = folder / "hello.mp3"
    client.audio.speech.create(model=SPOKEN, voice="alloy", input="Hello").write_to_file(spoken)
    print(spoken.read_bytes())
    with spoken.open("rb") as file:
        print(client.audio.transcriptions.create(model=HEARD, file=file).text)
    with spoken.open("rb") as file:
        print(client.audio.transcriptions.create(model=HEARD, file=file, response_format="text"))
    print(client.audio.translations.create(model=HEARD, file=("a.mp3", b"ID3")).text)


def files(client, folder):
    notes = folder / "notes.txt"
    notes.write_text("Remember the milk.")
    kept = client.files.create(file=notes, purpose="user_data")
    print(kept.id, kept.filename, kept.bytes)
    print([each.id for each in client.files.list(purpose="user_data")], client.files.retrieve(kept.id).object)
    content = client.files.content(kept.id)
    print(content.read())
    print(client.files.delete(kept.id).deleted)
    batch = client.batches.create(
        input_file_id=kept.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    print(client.batches.retrieve(batch.id).status, batch.endpoint)


def options(client):
    patient = client.with_options(max_retries=1, timeout=20)
    reply = patient.with_options(timeout=30).chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": "Hello"}], extra_query={"trace": "1"}
    )
    print(type(patient) is type(client), reply.choices[0].message.content)


def errors(client):
    ask = [{"role": "user", "content": "Hello"}]
    try:
        client.chat.completions.create(model=LIMITED, messages=ask)
    except openai.RateLimitError as exc:
        print(exc.status_code, exc.code, exc.type, exc.param, exc.request_id, exc.body["message"])
        print(exc.response.status_code, exc.response.headers.get("Retry-After"), exc.response.json()["error"]["code"])
    try:
        client.chat.completions.create(model=POOR, messages=ask)
    except openai.RateLimitError as exc:
        print("quota" if exc.code == "insufficient_quota" else "rate", exc.body)
    try:
        client.chat.completions.create(model=MISSING, messages=ask)
    except openai.NotFoundError as exc:
        print(exc.status_code, exc.code, isinstance(exc, openai.APIStatusError), isinstance(exc, openai.APIError))
    try:
        client.files.retrieve("file-none")
    except openai.APIStatusError as exc:
        print(type(exc).__name__, exc.status_code)
    except openai.APIConnectionError:
        print("no connection")
    try:
        OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0).models.list()
    except openai.APITimeoutError:
        print("too slow")
    except openai.APIConnectionError as exc:
        print("no connection", exc.body, exc.code, bool(exc.message))
    except OpenAIError:
        print("something else")


async def asynchronously():
    async with AsyncOpenAI(timeout=30.0, max_retries=0) as client:
        reply = await client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": "Hello"}])
        print(reply.choices[0].message.content)
        stream = await client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "Count"}], stream=True
        )
        print("".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]))
        print([each.id async for each in client.files.list()])
        vectors = await asyncio.gather(*(client.embeddings.create(model=EMBEDDING, input=text) for text in ("a", "bb")))
        print([vector.data[0].embedding[0] for vector in vectors])


def main():
    client = OpenAI(api_key=os.environ["OPENAI_API_KEY"], base_url=os.environ["OPENAI_BASE_URL"], max_retries=0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chat(client)
        stream(client)
        tools(client)
        embed(client)
        others(client)
        images(client, folder)
        audio(client, folder)
        files(client, folder)
        options(client)
        errors(client)
    asyncio.run(asynchronously())
    client.close()
    sys.stdout.flush()


main()
