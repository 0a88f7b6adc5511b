"""The clients that are compared, each with the same calls, as its documentation writes them.

They run in processes of their own, each in an environment that has its package and not the others': nothing is imported
here that Python itself does not have. What a client cannot do is a method that it lacks.
"""

import asyncio
import importlib
import threading
from collections.abc import Callable
from typing import Any

KEY = "sk-benchmark"
MODEL = "gpt-5.4-mini"
CLAUDE = "claude-sonnet-4-5"
SYSTEM = "You answer in one sentence."
QUESTION = "Why is the sky blue?"
MESSAGES: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
USER: list[Any] = [{"role": "user", "content": QUESTION}]
INPUTS = [f"text number {number}" for number in range(256)]

Note = Callable[[str], object] | None  # called with the text of each chunk, where a case looks at it


class Client:
    """What the server's `path` answers to. Streams give how many chunks had text; `close` ends what is open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._kept: dict[tuple[str, str], Any] = {}

    def kept(self, path: str, kind: str) -> Any:
        """What `make_KIND` makes, a client of the library's own: once a path."""
        client = self._kept.get((kind, path))
        if client is None:
            client = self._kept[kind, path] = getattr(self, f"make_{kind}")(f"{self.url}/{path}")
        return client

    async def close(self) -> None:
        pass


class Minimal(Client):
    http = "benchmarks.moved"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._make: Any = importlib.import_module(self.http).Http
        self._minimal = importlib.import_module("benchmarks.minimal")
        self._session: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._blocking: Any = None

    def _http(self) -> Any:
        if self._session is None:
            self._session = self._make(KEY)
        return self._session

    async def chat(self, path: str) -> object:
        return await self._minimal.chat(self._http(), f"{self.url}/{path}", MODEL, MESSAGES)

    async def stream(self, path: str, note: Note = None) -> int:
        count: int = await self._minimal.stream(self._http(), f"{self.url}/{path}", MODEL, MESSAGES, note)
        return count

    async def embeddings(self) -> object:
        return await self._minimal.embeddings(self._http(), f"{self.url}/v1", MODEL, INPUTS)

    def chat_blocking(self, path: str) -> object:
        """To a loop in a thread, as a caller with several threads would send them."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()

            async def open_session() -> Any:
                return self._make(KEY)

            self._blocking = asyncio.run_coroutine_threadsafe(open_session(), self._loop).result()
        call = self._minimal.chat(self._blocking, f"{self.url}/{path}", MODEL, MESSAGES)
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._blocking.close(), self._loop).result()


class Aiohttp(Minimal):
    """The same as aiohttp's documentation has it."""

    http = "benchmarks.minimal"


class OneLLM(Client):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._package = importlib.import_module("onellm")

    def make_async(self, url: str) -> Any:
        return self._package.AsyncOneLLM(api_key=KEY, base_url=url)

    async def chat(self, path: str) -> object:
        return await self.kept(path, "async").chat.completions.create(model=f"openai/{MODEL}", messages=MESSAGES)

    async def stream(self, path: str, note: Note = None) -> int:
        count = 0
        completions = self.kept(path, "async").chat.completions
        async with await completions.create(model=f"openai/{MODEL}", messages=MESSAGES, stream=True) as stream:
            async for chunk in stream:
                if text := chunk.choices[0].delta.content:
                    count += 1
                    if note is not None:
                        note(text)
        return count

    async def embeddings(self) -> object:
        return await self.kept("v1", "async").embeddings.create(model=f"openai/{MODEL}", input=INPUTS)

    def make_blocking(self, url: str) -> Any:
        return self._package.OneLLM(api_key=KEY, base_url=url)

    def chat_blocking(self, path: str) -> object:
        return self.kept(path, "blocking").chat.completions.create(model=f"openai/{MODEL}", messages=MESSAGES)

    def stream_blocking(self, path: str) -> int:
        count = 0
        completions = self.kept(path, "blocking").chat.completions
        with completions.create(model=f"openai/{MODEL}", messages=MESSAGES, stream=True) as stream:
            for chunk in stream:
                if chunk.choices[0].delta.content:
                    count += 1
        return count

    async def close(self) -> None:
        for client in self._kept.values():
            if hasattr(client, "aclose"):
                await client.aclose()
            else:
                client.close()


class OpenAI(Client):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._package = importlib.import_module("openai")

    def make_async(self, url: str) -> Any:
        return self._package.AsyncOpenAI(api_key=KEY, base_url=url)

    async def chat(self, path: str) -> object:
        return await self.kept(path, "async").chat.completions.create(model=MODEL, messages=MESSAGES)

    async def stream(self, path: str, note: Note = None) -> int:
        count = 0
        completions = self.kept(path, "async").chat.completions
        async with await completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
            async for chunk in stream:
                if text := chunk.choices[0].delta.content:
                    count += 1
                    if note is not None:
                        note(text)
        return count

    async def embeddings(self) -> object:
        return await self.kept("v1", "async").embeddings.create(model=MODEL, input=INPUTS)

    def make_blocking(self, url: str) -> Any:
        return self._package.OpenAI(api_key=KEY, base_url=url)

    def chat_blocking(self, path: str) -> object:
        return self.kept(path, "blocking").chat.completions.create(model=MODEL, messages=MESSAGES)

    def stream_blocking(self, path: str) -> int:
        count = 0
        with self.kept(path, "blocking").chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
            for chunk in stream:
                if chunk.choices[0].delta.content:
                    count += 1
        return count


class Anthropic(Client):
    """The same questions in the Messages API."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._package = importlib.import_module("anthropic")

    def make_async(self, url: str) -> Any:
        return self._package.AsyncAnthropic(api_key=KEY, base_url=url)

    async def chat(self, path: str) -> object:
        messages = self.kept(path, "async").messages
        return await messages.create(model=CLAUDE, max_tokens=1024, system=SYSTEM, messages=USER)

    async def stream(self, path: str, note: Note = None) -> int:
        count = 0
        messages = self.kept(path, "async").messages
        opened = await messages.create(model=CLAUDE, max_tokens=1024, system=SYSTEM, messages=USER, stream=True)
        async with opened as stream:
            async for event in stream:
                if event.type == "content_block_delta" and (text := event.delta.text):
                    count += 1
                    if note is not None:
                        note(text)
        return count

    def make_blocking(self, url: str) -> Any:
        return self._package.Anthropic(api_key=KEY, base_url=url)

    def chat_blocking(self, path: str) -> object:
        return self.kept(path, "blocking").messages.create(model=CLAUDE, max_tokens=1024, system=SYSTEM, messages=USER)

    def stream_blocking(self, path: str) -> int:
        count = 0
        messages = self.kept(path, "blocking").messages
        opened = messages.create(model=CLAUDE, max_tokens=1024, system=SYSTEM, messages=USER, stream=True)
        with opened as stream:
            for event in stream:
                if event.type == "content_block_delta" and event.delta.text:
                    count += 1
        return count


class LangChain(Client):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._package = importlib.import_module("langchain_openai")

    def make_async(self, url: str) -> Any:
        return self._package.ChatOpenAI(model=MODEL, api_key=KEY, base_url=url)

    async def chat(self, path: str) -> object:
        return await self.kept(path, "async").ainvoke(MESSAGES)

    async def stream(self, path: str, note: Note = None) -> int:
        count = 0
        async for chunk in self.kept(path, "async").astream(MESSAGES):
            if text := chunk.content:
                count += 1
                if note is not None:
                    note(text)
        return count

    def make_embeddings(self, url: str) -> Any:
        """Its own count of tokens would fetch a table from the network."""
        return self._package.OpenAIEmbeddings(
            model=MODEL, api_key=KEY, base_url=url, check_embedding_ctx_length=False, chunk_size=len(INPUTS)
        )

    async def embeddings(self) -> object:
        return await self.kept("v1", "embeddings").aembed_documents(INPUTS)

    def chat_blocking(self, path: str) -> object:
        return self.kept(path, "async").invoke(MESSAGES)

    def stream_blocking(self, path: str) -> int:
        return sum(1 for chunk in self.kept(path, "async").stream(MESSAGES) if chunk.content)


class PydanticAI(Client):
    """Its `direct` calls, which have no agent around them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._direct = importlib.import_module("pydantic_ai.direct")
        parts = importlib.import_module("pydantic_ai.messages")
        self._asked = [parts.ModelRequest(parts=[parts.SystemPromptPart(SYSTEM), parts.UserPromptPart(QUESTION)])]

        self._models = importlib.import_module("pydantic_ai.models.openai")
        self._providers = importlib.import_module("pydantic_ai.providers.openai")

    def make_async(self, url: str) -> Any:
        return self._models.OpenAIChatModel(MODEL, provider=self._providers.OpenAIProvider(base_url=url, api_key=KEY))

    async def chat(self, path: str) -> object:
        return await self._direct.model_request(self.kept(path, "async"), self._asked)

    async def stream(self, path: str, note: Note = None) -> int:
        count = 0
        async with self._direct.model_request_stream(self.kept(path, "async"), self._asked) as stream:
            async for event in stream:
                if event.event_kind == "part_delta":
                    text = event.delta.content_delta
                elif event.event_kind == "part_start":
                    text = event.part.content
                else:
                    continue
                count += 1
                if note is not None:
                    note(text)
        return count

    def chat_blocking(self, path: str) -> object:
        return self._direct.model_request_sync(self.kept(path, "async"), self._asked)

    def stream_blocking(self, path: str) -> int:
        with self._direct.model_request_stream_sync(self.kept(path, "async"), self._asked) as stream:
            return sum(1 for event in stream if event.event_kind in {"part_delta", "part_start"})


class AnyLLM(Client):
    """A client that is kept; `any_llm.acompletion` would make one a call."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._package = importlib.import_module("any_llm")

    def make_async(self, url: str) -> Any:
        return self._package.AnyLLM.create("openai", api_key=KEY, api_base=url)

    def make_blocking(self, url: str) -> Any:
        """One of its own: each of its clients is for one event loop."""
        return self.make_async(url)

    async def chat(self, path: str) -> object:
        return await self.kept(path, "async").acompletion(model=MODEL, messages=MESSAGES)

    async def stream(self, path: str, note: Note = None) -> int:
        count = 0
        async for chunk in await self.kept(path, "async").acompletion(model=MODEL, messages=MESSAGES, stream=True):
            if text := chunk.choices[0].delta.content:
                count += 1
                if note is not None:
                    note(text)
        return count

    async def embeddings(self) -> object:
        return await self.kept("v1", "async").aembedding(model=MODEL, inputs=INPUTS)

    def chat_blocking(self, path: str) -> object:
        return self.kept(path, "blocking").completion(model=MODEL, messages=MESSAGES)

    def stream_blocking(self, path: str) -> int:
        chunks = self.kept(path, "blocking").completion(model=MODEL, messages=MESSAGES, stream=True)
        return sum(1 for chunk in chunks if chunk.choices[0].delta.content)


class LiteLLM(Client):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._litellm = importlib.import_module("litellm")

    def _given(self, path: str) -> dict[str, Any]:
        return {"model": f"openai/{MODEL}", "api_base": f"{self.url}/{path}", "api_key": KEY}

    async def chat(self, path: str) -> object:
        return await self._litellm.acompletion(messages=MESSAGES, **self._given(path))

    async def stream(self, path: str, note: Note = None) -> int:
        count = 0
        async for chunk in await self._litellm.acompletion(messages=MESSAGES, stream=True, **self._given(path)):
            if text := chunk.choices[0].delta.content:
                count += 1
                if note is not None:
                    note(text)
        return count

    async def embeddings(self) -> object:
        return await self._litellm.aembedding(input=INPUTS, **self._given("v1"))

    def chat_blocking(self, path: str) -> object:
        return self._litellm.completion(messages=MESSAGES, **self._given(path))

    def stream_blocking(self, path: str) -> int:
        chunks = self._litellm.completion(messages=MESSAGES, stream=True, **self._given(path))
        return sum(1 for chunk in chunks if chunk.choices[0].delta.content)


CLIENTS: dict[str, type[Client]] = {
    "minimal": Minimal,
    "onellm": OneLLM,
    "aiohttp": Aiohttp,
    "openai": OpenAI,
    "anthropic": Anthropic,
    "pydantic-ai-slim": PydanticAI,
    "langchain-openai": LangChain,
    "any-llm-sdk": AnyLLM,
    "litellm": LiteLLM,
}
# Those that need no more than OneLLM does.
OURS = ("minimal", "onellm", "aiohttp")
# What a program imports to use each.
IMPORTS = {
    "onellm": "from onellm import AsyncOneLLM",
    "openai": "import openai",
    "anthropic": "import anthropic",
    "pydantic-ai-slim": "from pydantic_ai.models.openai import OpenAIChatModel",
    "langchain-openai": "from langchain_openai import ChatOpenAI",
    "any-llm-sdk": "from any_llm import AnyLLM",
    "litellm": "import litellm",
}
