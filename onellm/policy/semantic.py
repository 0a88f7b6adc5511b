"""Answers to questions that mean the same."""

import time
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from onellm.errors import MissingDependencyError, OneLLMError
from onellm.policy.answer_codec import Codec, codec_of
from onellm.policy.cache import Stored, encode_stored, found, kept
from onellm.policy.execution import Exchange
from onellm.policy.forks import begins_anew
from onellm.policy.request_key import request_key
from onellm.types.caching import SemanticCache
from onellm.types.chat_params import ChatRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Embed = Callable[[str], Awaitable[Sequence[float]]]

_WITH_TOOLS = ("tools", "functions", "web_search_options", "audio", "modalities")


class SemanticCaching:
    """A layer that gives the answer to the nearest question, where it is near enough. Chats alone go through it.

    Kept in memory, by what must be equal: the call without its last message, then by the vector of that message.
    """

    def __init__(self, settings: SemanticCache, embed: Embed, clock: Callable[[], float] = time.time) -> None:
        """Take how to embed a text.

        Raises:
            MissingDependencyError: numpy is not installed.
        """
        try:
            import_module("numpy")
        except ImportError as exc:
            raise MissingDependencyError('SemanticCache needs numpy: pip install "onellm[numpy]"') from exc
        self._settings = settings
        self._embed = embed
        self._clock = clock
        self.begin_anew()
        begins_anew(self)

    def begin_anew(self) -> None:
        """Empty; also after a fork, where another thread may just have been at it."""
        self._groups: dict[str, _Group] = {}
        self._entries: OrderedDict[int, tuple[str, int]] = OrderedDict()  # number -> group and size, oldest use first
        self._size = 0
        self._numbers = 0
        self._lock = Lock()

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The answer that is kept to a question like this, or else the one that comes."""
        execution = exchange.options.execution
        use = None if execution is None else execution.answer_cache
        codec = None if use is False else codec_of(exchange.operation)
        question = None if codec is None else _question(exchange)
        scope = None if question is None else _scope(exchange)
        if codec is None or question is None or scope is None:
            return await go_on()
        try:
            vector = _unit(await self._embed(question))
        except OneLLMError:  # a cache that fails is no reason for the call to
            return await go_on()
        ttl = None if execution is None else execution.answer_cache_ttl
        ttl = self._settings.ttl if ttl is None else ttl
        if use != "refresh":
            with self._lock:
                answer = self._find(scope, vector, codec, ttl)
            if answer is not None:
                return answer

        async def keep(stored: Stored) -> None:
            with self._lock:
                self._keep(scope, vector, encode_stored(stored))

        return await kept(await go_on(), codec, keep, self._clock)

    def _find(self, scope: str, vector: "NDArray[np.float32]", codec: Codec, ttl: float | None) -> Any:
        group = self._groups.get(scope)
        if group is None:
            return None
        similarity, number = group.nearest(vector)
        if similarity < self._settings.threshold:
            return None
        answer = found(group.values[number], codec, self._clock(), ttl, min(1.0, similarity))
        if answer is None:
            self._drop(number)
        else:
            self._entries.move_to_end(number)
        return answer

    def _keep(self, scope: str, vector: "NDArray[np.float32]", value: bytes) -> None:
        settings = self._settings
        size = len(value) + vector.nbytes
        if size > settings.max_bytes // 4:
            return
        self._numbers += 1
        number = self._numbers
        self._groups.setdefault(scope, _Group()).add(number, vector, value)
        self._entries[number] = (scope, size)
        self._size += size
        while len(self._entries) > settings.max_entries or self._size > settings.max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, number: int) -> None:
        scope, size = self._entries.pop(number)
        self._size -= size
        group = self._groups[scope]
        group.remove(number)
        if not group.values:
            del self._groups[scope]


class _Group:
    """Answers to calls that differ in their last message alone."""

    def __init__(self) -> None:
        self.values: dict[int, bytes] = {}
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._matrix: NDArray[np.float32] | None = None

    def add(self, number: int, vector: "NDArray[np.float32]", value: bytes) -> None:
        self.values[number] = value
        self._vectors[number] = vector
        self._matrix = None

    def remove(self, number: int) -> None:
        del self.values[number], self._vectors[number]
        self._matrix = None

    def nearest(self, vector: "NDArray[np.float32]") -> tuple[float, int]:
        """The cosine of the nearest, and its number; below all cosines where vectors have another length."""
        import numpy as np  # noqa: PLC0415 - an extra

        numbers = list(self._vectors)
        if self._vectors[numbers[0]].shape != vector.shape:
            return -2.0, numbers[0]
        if self._matrix is None:
            self._matrix = np.stack(list(self._vectors.values()))
        cosines = self._matrix @ vector
        place = int(cosines.argmax())
        return float(cosines[place]), numbers[place]


def _question(exchange: Exchange) -> str | None:
    """The text of the last message, where it is a user's and all there is to compare; None where it is not."""
    request = exchange.request
    if not isinstance(request, ChatRequest) or any(request.params.get(name) for name in _WITH_TOOLS):
        return None
    last = request.messages[-1] if request.messages else {}
    content = last.get("content")
    return content if last.get("role") == "user" and isinstance(content, str) and content.strip() else None


def _scope(exchange: Exchange) -> str | None:
    """The name of all that must be equal."""
    assert isinstance(exchange.request, ChatRequest)  # noqa: S101 - there is a question
    *before, last = exchange.request.messages
    return request_key(exchange, leave_out={"messages": [*before, {**last, "content": None}]})


def _unit(given: Sequence[float]) -> "NDArray[np.float32]":
    import numpy as np  # noqa: PLC0415 - an extra

    vector: NDArray[np.float32] = np.asarray(given if isinstance(given, array) else list(given), dtype=np.float32)
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
