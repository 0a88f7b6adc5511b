"""What stands around a call beside retries. Nothing here is imported by a client that asks for none of it."""

import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Any, Literal, Protocol, TypeVar, cast

from msgspec import Struct, structs

from onellm.policy.circuits import Circuits
from onellm.policy.execute import Options, Whole
from onellm.policy.hooks import Hooks
from onellm.policy.keys import KeyRing
from onellm.policy.operations import Operation
from onellm.types.options import Hedge, OnInterrupt
from onellm.types.request import Request

T = TypeVar("T")


class Exchange(Struct, kw_only=True):
    """One call of a caller, as the layers around it see it.

    operation:  what is called, such as "chat.completions.create", and whether its answer is a stream
    provider:   the name of the one that is asked first; "route" where it is a route
    model:      that provider's own model id; "" where the call has none
    request:    what is asked, where it is more than an id
    arguments:  of the provider's method, the request among them
    options:    of the call

    Once it goes on, and where it does:
    requests:     how many have been sent, those of retries, fallbacks and hedges too
    answered_by:  "provider/model" of the one that has; a stream may move on from it
    """

    operation: Operation
    provider: str
    model: str
    request: Request | None
    arguments: tuple[Any, ...]
    options: Options
    requests: int = 0
    answered_by: str = ""


class Layer(Protocol):
    """What stands around every call of a client: it sees what is asked, and the answer or the error.

    `go_on()` makes the call; a layer may do without it, and may give another answer. Where `operation.answers` is not
    "whole" the answer is an `AnswerStream` or a `Binary` that has just begun: a layer that wants to see its end
    gives one of its own, that reads from it.
    """

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any: ...


class Target(Struct, frozen=True, kw_only=True):
    """Who is asked, and how. `notes` are what was left out of the request for it."""

    provider: str
    model: str
    method: Callable[..., Awaitable[Any]]
    arguments: tuple[Any, ...]
    options: Options
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As callers name it."""
        return f"{self.provider}/{self.model}" if self.model else self.provider


class Binder(Protocol):
    """Who knows the providers."""

    def fallbacks(self, provider: str, model: str, operation: Operation) -> Sequence[str]:
        """The models that the client asks after this one, where the call says nothing."""
        ...

    def expand(self, names: Sequence[str]) -> list[str]:
        """Models, with those of a route in place of its name, in the order in which they are asked now."""
        ...

    def bind_target(self, name: str, operation: Operation, options: Options) -> tuple[Any, str, str, Options]:
        """A provider that serves the operation, its name, its own name of the model, and the options of a call of it.

        Raises:
            UsageError: there is none, or it cannot be used.
        """
        ...

    def keys(self, provider: str) -> KeyRing | None:
        """The keys of a provider that has several."""
        ...


class Execution(Struct, frozen=True, kw_only=True):
    """What is asked for around a call; the client's where the call says nothing.

    layers:           from the outside in
    deadline:         seconds for all of it
    fallback_models:  of the call; None is the client's
    latencies:        where it is noted how quick each model is
    answer_cache, answer_cache_ttl, share:  what the call says of caching and sharing; see `ModelOptions`
    """

    binder: Binder
    layers: tuple[Layer, ...] = ()
    deadline: float | None = None
    fallback_models: tuple[str, ...] | None = None
    fallback_on: tuple[str, ...] = ()
    hedge: Hedge | None = None
    on_interrupt: OnInterrupt = "raise"
    hooks: Hooks | None = None
    circuits: Circuits | None = None
    latencies: MutableMapping[tuple[str, str], float] | None = None
    answer_cache: bool | Literal["refresh"] | None = None
    answer_cache_ttl: float | None = None
    share: bool | None = None

    def run(
        self,
        options: Options,
        method: Callable[..., Awaitable[T]],
        arguments: tuple[Any, ...],
        *,
        making: bool | None = None,
        whole: Whole[T] | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Make a call.

        making:  whether it makes something that is not to be made twice; None where it makes nothing
        whole:   what makes the call where it takes several requests
        """
        from onellm.policy.logical_call import LogicalCall  # noqa: PLC0415 - it imports this

        call = LogicalCall(self, self.begun(options), method, arguments, making=making, whole=whole)
        return cast("Coroutine[Any, Any, T]", call.make())

    def begun(self, options: Options) -> Options:
        """Options whose deadline has begun to run."""
        if self.deadline is None:
            return options
        timeouts = options.call.timeouts
        until = time.monotonic() + self.deadline
        until = until if timeouts.until is None else min(until, timeouts.until)
        call = structs.replace(options.call, timeouts=structs.replace(timeouts, until=until))
        return structs.replace(options, call=call, execution=structs.replace(self, deadline=None))

    def inner(self) -> "Execution":
        """For the requests that one call is made of: what stands around the whole stands around it already."""
        hooks = None if self.hooks is None else structs.replace(self.hooks, on_response=None, on_error=None)
        return structs.replace(self, layers=(), deadline=None, fallback_models=(), hedge=None, hooks=hooks)
