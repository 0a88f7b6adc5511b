"""`make demo`: one model, reached in two ways by the same code; no key, no network.

1. inside this process, through llama.cpp
2. behind a llama.cpp server on loopback, as any host that speaks OpenAI's API

Each is asked with asyncio and without, whole and streamed, and for embeddings.
"""

import asyncio
import math
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onellm import AsyncOneLLM, OneLLM
from onellm.types.chat_params import UserMessageParam

IN_PROCESS = "llama_cpp/smollm2"
OVER_HTTP = "openai-compatible/smollm2"
LONGEST = 48  # tokens of an answer
TEXTS = ["The cat sits outside", "A kitten is outdoors", "The stock market fell today"]

Settings = dict[str, dict[str, Any]]


@contextmanager
def step(title: str) -> Generator[None]:
    """Say what is done, and how long it took."""
    print(f"\n== {title}", flush=True)
    began = time.perf_counter()
    yield
    print(f"   {time.perf_counter() - began:.2f} s", flush=True)


def ask(question: str) -> list[UserMessageParam]:
    return [{"role": "user", "content": question}]


async def with_asyncio(model: str, providers: Settings) -> list[Sequence[float]]:
    async with AsyncOneLLM(providers=providers) as client:
        create = client.chat.completions.create
        with step(f"{model}, asyncio, streamed: Why is the sky blue?"):
            async with await create(
                model=model, messages=ask("Why is the sky blue?"), stream=True, max_tokens=LONGEST, temperature=0
            ) as stream:
                async for text in stream.text():
                    print(text, end="", flush=True)
                print()
        with step(f"{model}, asyncio, whole: How do birds fly?"):
            reply = await create(model=model, messages=ask("How do birds fly?"), max_tokens=LONGEST, temperature=0)
            print(reply.choices[0].message.content)
            print(f"   {reply.usage.total_tokens if reply.usage else '?'} tokens")
        with step(f"{model}, asyncio, embeddings"):
            vectors = await client.embeddings.create(model=model, input=TEXTS)
            print(f"{len(vectors.data)} vectors of {len(vectors.data[0].embedding)} numbers")
        return [item.embedding for item in vectors.data]


def without_asyncio(model: str, providers: Settings) -> None:
    with OneLLM(providers=providers) as client:
        create = client.chat.completions.create
        with (
            step(f"{model}, blocking, streamed: Name three colours"),
            create(
                model=model, messages=ask("Name three colours"), stream=True, max_tokens=LONGEST, temperature=0
            ) as stream,
        ):
            for text in stream.text():
                print(text, end="", flush=True)
            print()
        with step(f"{model}, blocking, whole: What is two plus two?"):
            reply = create(model=model, messages=ask("What is two plus two?"), max_tokens=LONGEST, temperature=0)
            print(reply.choices[0].message.content)
        with step(f"{model}, blocking, embeddings"):
            vectors = client.embeddings.create(model=model, input=TEXTS)
            print(f"{len(vectors.data)} vectors of {len(vectors.data[0].embedding)} numbers")


@contextmanager
def llama_server() -> Generator[Settings]:
    """A server process on a free port of loopback, with a key of its own."""
    key = secrets.token_urlsafe(16)
    command = [sys.executable, str(Path(__file__).with_name("llama_server.py"))]
    environment = {**os.environ, "LLAMA_API_KEY": key}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own file
        try:
            with step("start a llama.cpp server"):
                address = next(iter(server.stdout or ()), "").strip()
                if not address:
                    sys.exit("the server did not start; what it said is above")
                print(address)
            yield {"openai-compatible": {"base_url": f"{address}/v1", "api_key": key}}
        finally:
            server.terminate()


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def main() -> None:
    began = time.perf_counter()
    here = asyncio.run(with_asyncio(IN_PROCESS, {}))
    without_asyncio(IN_PROCESS, {})
    with llama_server() as providers:
        there = asyncio.run(with_asyncio(OVER_HTTP, providers))
        without_asyncio(OVER_HTTP, providers)
    print("\nThe same text, embedded in both ways, has cosine similarity:")
    for text, one, other in zip(TEXTS, here, there, strict=True):
        print(f"   {cosine(one, other):.4f}  {text}")
    print(f"\nall in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
