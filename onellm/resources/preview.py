"""What a call would send: the call is made with a transport that keeps the request and sends nothing."""

import re
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any
from urllib.parse import urlsplit

from msgspec import structs

from onellm.errors import InvalidRequestError, MissingKeyError, UnsupportedFeatureError
from onellm.policy.retry import RetryPolicy
from onellm.providers.base import Configurable, Provider, ProviderSettings
from onellm.providers.protocols import Response, ResponseStream, Socket
from onellm.resources.core import Bound, Core
from onellm.types.files import Form
from onellm.types.preview import PreviewedRequest
from onellm.types.request import Request

HIDDEN = "***"
_SECRET = re.compile(r"key|token|secret|auth|cookie|password|signature|credential|^sig$", re.IGNORECASE)


async def preview(core: Core, call: Callable[[Core], object]) -> PreviewedRequest:
    """The first request that `call` would send with a core.

    Raises:
        UsageError: what the call itself would raise before it sends anything; a missing key is no hindrance.
    """
    kept = _Kept()
    try:
        result = call(PreviewCore(core, kept))
        if isawaitable(result):
            await result
    except _NotSent:
        pass
    if kept.request is None:
        raise InvalidRequestError("nothing to preview: this call sends no request by itself", param="operation")
    return kept.request


def method(client: object, operation: str) -> Callable[..., object]:
    """The method of a client that "chat.completions.create" names.

    Raises:
        InvalidRequestError: it names none.
    """
    found: Any = client
    for name in operation.split("."):
        found = None if name.startswith("_") else getattr(found, name, None)
    if found is client or not callable(found):
        raise InvalidRequestError(
            f'operation: {operation!r} is no method of a client; one is "chat.completions.create"', param="operation"
        )
    named: Callable[..., object] = found
    return named


class _NotSent(Exception):  # noqa: N818 - never leaves this module
    """In place of an answer."""


class _Kept:
    """A transport that keeps the first request, and what was last asked of a provider."""

    def __init__(self) -> None:
        self.request: PreviewedRequest | None = None
        self.asked: Request | None = None
        self.provider = ""

    async def request_of(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Form | None, *, stream: bool
    ) -> None:
        asked = self.asked
        self.request = self.request or PreviewedRequest(
            provider=self.provider,
            model=asked.model if asked else "",
            method=method,
            url=_without_secrets(url),
            headers=_hidden(headers),
            body=body if isinstance(body, bytes) else None,
            form=body if isinstance(body, Form) else None,
            stream=stream,
            adjustments=tuple(asked.adjustments) if asked else (),
        )


class _Keeper:
    """The transport of a preview."""

    def __init__(self, kept: _Kept) -> None:
        self._kept = kept

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | Form | None, **_: object
    ) -> Response:
        await self._kept.request_of(method, url, headers, body, stream=False)
        raise _NotSent

    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | Form | None, **_: object
    ) -> ResponseStream:
        await self._kept.request_of(method, url, headers, body, stream=True)
        raise _NotSent

    async def connect(self, url: str, *, headers: Mapping[str, str], **_: object) -> Socket:
        await self._kept.request_of("GET", url, headers, None, stream=True)
        raise _NotSent

    async def aclose(self) -> None:
        """It holds nothing."""


class PreviewCore(Core):
    """A client's inside whose requests are kept. The settings are the client's, but for the keys."""

    def __init__(self, core: Core, kept: _Kept) -> None:
        vars(self).update(vars(core))
        self._kept = kept
        self._transport = _Keeper(kept)
        self._retry = RetryPolicy(max_retries=0)
        self._bound = {}
        self._usual = {}
        self._plans = {}
        self._pacing = None  # nothing is sent, so nothing waits

    def split(self, model: object) -> tuple[str, str]:
        """Of a route, the model that would be asked first."""
        found = super().split(model)
        if found[0] == "route" and self._binding is not None and self._binding.routes:
            return super().split(self._binding.expand(["/".join(found)])[0])
        return found

    def bind(self, name: str) -> Bound:
        bound = super().bind(name)
        if isinstance(bound.provider, Watched):
            return bound
        if not isinstance(bound.provider, Configurable):
            raise UnsupportedFeatureError(f"{name} sends nothing: it runs inside the process", provider=name)
        watched: Any = Watched(bound.provider, self._kept)
        self._bound[name] = bound = Bound(watched, bound.settings, bound.operations)
        return bound

    def execution(self, taken: Mapping[str, Any]) -> None:
        """Nothing: one request is enough, and what watches calls is not told of one that is not made."""

    def _keep_keys(self, name: str, settings: ProviderSettings, more: object) -> None:
        """None are used, and which are set aside is the client's to know."""

    def _settings(self, provider: Provider) -> ProviderSettings:
        try:
            settings = super()._settings(provider)
        except MissingKeyError:
            settings = None
        if settings is None or settings.api_key is not None:
            given = {k: v for k, v in self._arguments.get(provider.name, {}).items() if k != "api_keys"}
            self._arguments = {**self._arguments, provider.name: {**given, "api_key": HIDDEN}}
            settings = super()._settings(provider)
        return structs.replace(settings, preview=True, usual_headers=None)


class Watched:
    """A provider that tells what is asked of it."""

    def __init__(self, provider: Provider, kept: _Kept) -> None:
        self._provider = provider
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if not callable(found):
            return found

        def call(*given: Any) -> Any:
            self._kept.provider = self._provider.name
            self._kept.asked = next((each for each in given if isinstance(each, Request)), self._kept.asked)
            return found(*given)

        call.__name__ = name
        return call


def _hidden(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without what may be a key; that ours already are placeholders shows how they would go."""
    return {
        name: value if not _SECRET.search(name) or value.endswith(HIDDEN) else HIDDEN for name, value in headers.items()
    }


def _without_secrets(url: str) -> str:
    """A URL without what may be a key: in its query, or before its host."""
    parts = urlsplit(url)
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    query = "&".join(
        f"{name}={HIDDEN}" if equals and _SECRET.search(name) else f"{name}{equals}{value}"
        for name, equals, value in pairs
    )
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(query=query, netloc=f"{HIDDEN}@{host}" if at and user else parts.netloc).geturl()
