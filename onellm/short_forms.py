"""Calls without a client of one's own: `ChatCompletion.create(…)`, `await ChatCompletion.acreate(…)`.

All share one client, made at the first use: from `configure`, or from the environment and `onellm.toml`.
"""

import inspect
import os
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from typing_extensions import Unpack

from onellm._sync.client import OneLLM
from onellm.client import AsyncOneLLM
from onellm.types.options import CallOptions

P = ParamSpec("P")
CallT = TypeVar("CallT")

_shared: dict[str, OneLLM] = {}


def _client() -> OneLLM:
    # Two threads may come here at once: setdefault is one step, and one of the two is dropped unused.
    return _shared.get("client") or _shared.setdefault("client", OneLLM())


def _taken_by(made: Callable[P, AsyncOneLLM]) -> Callable[[Callable[..., None]], Callable[P, None]]:
    """Give a function the parameters of another, for type checkers and for `help`."""

    def given_to(function: Callable[..., None]) -> Callable[P, None]:
        function.__signature__ = inspect.signature(made).replace(return_annotation=None)  # type: ignore[attr-defined]
        return function

    return given_to


@_taken_by(AsyncOneLLM)
def configure(**settings: Any) -> None:
    """Replace the client that the short forms share. Takes what `AsyncOneLLM` takes.

    The old one is closed: what it has under way fails, and so do calls through what was taken from it before,
    as in `create = ChatCompletion.create`. A `http_session` serves the async forms only.

    Raises:
        ConfigurationError: a setting is wrong; the old client stays.
    """
    client = OneLLM._around(AsyncOneLLM(**settings))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - with its session
    old = _shared.pop("client", None)
    _shared["client"] = client
    if old is not None:
        old.close()


class _Blocking(Generic[CallT]):
    """A method of the shared client, as an attribute of a class: looked up, and the client made, when it is used."""

    def __init__(self, method: Callable[[OneLLM], CallT]) -> None:
        self._method = method

    def __get__(self, instance: object, owner: type | None = None) -> CallT:
        return self._method(_client())


class _Async(Generic[CallT]):
    """The same of the async client that the shared one stands on."""

    def __init__(self, method: Callable[[AsyncOneLLM], CallT]) -> None:
        self._method = method

    def __get__(self, instance: object, owner: type | None = None) -> CallT:
        return self._method(_client()._async)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - so both are one


class ChatCompletion:
    """`client.chat.completions`."""

    create = _Blocking(lambda client: client.chat.completions.create)
    acreate = _Async(lambda client: client.chat.completions.create)


class Completion:
    """`client.completions`."""

    create = _Blocking(lambda client: client.completions.create)
    acreate = _Async(lambda client: client.completions.create)


class Embedding:
    """`client.embeddings`."""

    create = _Blocking(lambda client: client.embeddings.create)
    acreate = _Async(lambda client: client.embeddings.create)


class Image:
    """`client.images`: `create` is `generate`."""

    create = _Blocking(lambda client: client.images.generate)
    acreate = _Async(lambda client: client.images.generate)


class AudioTranscription:
    """`client.audio.transcriptions`."""

    create = _Blocking(lambda client: client.audio.transcriptions.create)
    acreate = _Async(lambda client: client.audio.transcriptions.create)


class AudioTranslation:
    """`client.audio.translations`."""

    create = _Blocking(lambda client: client.audio.translations.create)
    acreate = _Async(lambda client: client.audio.translations.create)


class Realtime:
    """`client.realtime`: `connect` blocks until the session is ready, `aconnect` is for `async with`."""

    connect = _Blocking(lambda client: client.realtime.connect)
    aconnect = _Async(lambda client: client.realtime.connect)
    create_token = _Blocking(lambda client: client.realtime.create_token)
    acreate_token = _Async(lambda client: client.realtime.create_token)


class Speech:
    """`client.audio.speech`."""

    create = _Blocking(lambda client: client.audio.speech.create)
    acreate = _Async(lambda client: client.audio.speech.create)


class File:
    """`client.files`: `upload` is `create`, `download` writes the content to a path. `provider` names whose files."""

    create = upload = _Blocking(lambda client: client.files.create)
    acreate = aupload = _Async(lambda client: client.files.create)
    list = _Blocking(lambda client: client.files.list)
    alist = _Async(lambda client: client.files.list)
    retrieve = _Blocking(lambda client: client.files.retrieve)
    aretrieve = _Async(lambda client: client.files.retrieve)
    content = _Blocking(lambda client: client.files.content)
    acontent = _Async(lambda client: client.files.content)
    delete = _Blocking(lambda client: client.files.delete)
    adelete = _Async(lambda client: client.files.delete)

    @staticmethod
    def download(
        file_id: str, path: str | os.PathLike[str], *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> None:
        """Write the content of a file to a path as it comes. Where that fails, no file is left.

        Raises:
            NotFoundError: there is no such file.
            APIConnectionError: the answer broke off.
            OSError: the path cannot be written.
        """
        with _client().files.content(file_id, provider=provider, **options) as content:
            content.write_to_file(path)

    @staticmethod
    async def adownload(
        file_id: str, path: str | os.PathLike[str], *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> None:
        """`download`, awaited."""
        files = _client()._async.files  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - so both are one
        async with await files.content(file_id, provider=provider, **options) as content:
            await content.write_to_file(path)
