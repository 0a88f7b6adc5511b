"""What goes with a call beside its arguments."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from msgspec import Meta, Struct
from typing_extensions import TypedDict

from onellm.errors import InvalidRequestError

_MOST_ADDRESSES = 64  # of one set of headers: for providers that have the model in the URL

TokenSource = Callable[[], "str | Awaitable[str]"]
"""Called before each request; gives a bearer token."""


@runtime_checkable
class TokenCredential(Protocol):
    """Gives tokens that run out, as the credentials of `azure-identity` do: those of its `aio`, and the others."""

    def get_token(self, *scopes: str) -> Any:
        """An object with `token`, the text, and `expires_on`, the Unix time of its end; or an awaitable of one."""
        ...


OnUnsupported = Literal["raise", "warn", "drop"]
"""What happens to an argument that the provider cannot express."""


class Timeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Time limits in seconds; None is no limit.

    connect:     a new connection: name look-up, TCP, TLS
    first_byte:  from sending the request to the first byte of the answer's body
    idle:        between two reads of a stream; keep-alive comments count as life
    total:       the whole call, one attempt, its wait for a turn and the stream's reading included
    until:       not a length but an end: the time of `time.monotonic` at which every attempt, and every wait between
                 them, is over. It is what `deadline=` sets
    """

    connect: float | None = 10.0
    first_byte: float | None = 600.0
    idle: float | None = 120.0
    total: float | None = 3600.0
    until: float | None = None


class SharedHeaders(dict[str, str]):
    """Headers that many requests have. They do not change, so what is made of them is kept with them.

    addresses:  a URL and these, by the path below their provider's base URL
    made:       what a transport has made of them, by URL
    """

    __slots__ = ("addresses", "made")

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self.addresses: dict[str, tuple[str, SharedHeaders]] = {}
        self.made: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Their names: one of them is likely a key."""
        return f"{type(self).__name__}({', '.join(self)})"

    def address(self, base_url: str | None, path: str) -> "tuple[str, SharedHeaders]":
        """The URL of a path, and these."""
        if len(self.addresses) >= _MOST_ADDRESSES:
            self.addresses.clear()
        self.addresses[path] = address = f"{base_url}/{path}", self
        return address


class HttpOptions(Struct, frozen=True, kw_only=True):
    """How connections are made.

    proxy:             URL of a proxy for all requests; None takes HTTP_PROXY, HTTPS_PROXY and NO_PROXY, "" takes none
    ssl:               an `ssl.SSLContext` of your own (a private CA, a client certificate), or False for no checks
    max_connections:   connections an event loop may open; 0 is no limit
    keepalive:         seconds that an idle connection is kept
    max_body_bytes:    the largest answer that is read
    max_event_bytes:   the largest single event of a stream
    """

    proxy: str | None = None
    ssl: object = None
    max_connections: int = 0
    keepalive: float = 30.0
    max_body_bytes: int = 512 << 20
    max_event_bytes: int = 64 << 20


LogLevel = Literal["off", "info", "debug", "content"]
"""What the logger `onellm` is told of calls."""

OnInterrupt = Literal["raise", "restart"]
"""What happens to a stream that breaks off after its first content."""

FallbackOn = Literal["content_filter", "context_length"]
"""Refusals for which another model is asked only where that is wanted."""


class Hedge(Struct, frozen=True, forbid_unknown_fields=True):
    """A second request when the first is late; who answers first wins, and the other is cancelled.

    after:  seconds without an answer, or of a stream without content, after which the next is asked
    to:     the models that are asked, one after another; empty is the same one again, once
    """

    after: float
    to: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.after > 0:
            raise InvalidRequestError(f"hedge: after is {self.after!r}; give seconds above 0", param="hedge")
        if isinstance(self.to, str):
            raise InvalidRequestError(f"hedge: to is {self.to!r}; give a list of models", param="hedge")


class CallOptions(TypedDict, total=False):
    """Options that every call takes.

    extra_body:      fields added to the JSON body as they are; they win over the call's own
    extra_headers:   headers added to the request; None removes one
    extra_query:     query parameters added to the URL
    timeout:         seconds for the whole call, or `Timeouts`
    max_retries:     how often a failed request is sent again; 0 is never
    deadline:        seconds for all of it: queueing, every attempt and the waits between them, fallbacks, the stream
    on_unsupported:  "raise" (the default), "warn" or "drop"
    priority:        where there are limits, calls of a higher one go first; 0 is the default
    """

    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str | None] | None
    extra_query: Mapping[str, str | int | float | bool] | None
    timeout: float | Timeouts | None
    max_retries: int | None
    deadline: Annotated[float, Meta(gt=0)] | None
    on_unsupported: OnUnsupported | None
    priority: int | None


class ModelOptions(CallOptions, total=False):
    """Options of every call of a model.

    fallback_models:  models, named "provider/model", that are asked in this order where the first cannot answer
    fallback_on:      "content_filter", "context_length": refusals for which another is asked, too
    hedge:            when another is asked because this one is late
    on_interrupt:     of a stream, once it has given content: "raise" (the default), or "restart" from the beginning
    answer_cache:      whether the client's cache of answers takes part: False is not at all, "refresh" asks anew and
        keeps what comes
    answer_cache_ttl:  seconds: an older answer is not taken, and this one is kept for so long
    share:             whether equal calls that are under way together are one request; without it the client's
        `share` decides
    """

    fallback_models: Sequence[str] | None
    fallback_on: Sequence[FallbackOn] | None
    hedge: Hedge | None
    on_interrupt: OnInterrupt | None
    answer_cache: bool | Literal["refresh"] | None
    answer_cache_ttl: Annotated[float, Meta(gt=0)] | None
    share: bool | None
