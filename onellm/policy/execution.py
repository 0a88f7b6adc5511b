"""What stands around a call beside retries. Nothing here is imported by a client that asks for none of it."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from msgspec import Struct

from onellm.policy.execute import Options
from onellm.policy.operations import Operation, operation_of
from onellm.policy.retry import retry, retry_making
from onellm.types.request import Request

T = TypeVar("T")


class Exchange(Struct, kw_only=True):
    """One call of a caller, as the layers around it see it.

    operation:  what is called, such as "chat.completions.create", and whether its answer is a stream
    provider:   the name of the one that is asked first
    model:      that provider's own model id; "" where the call has none
    request:    what is asked, where it is more than an id
    arguments:  of the provider's method, the request among them
    options:    of the call
    """

    operation: Operation
    provider: str
    model: str
    request: Request | None
    arguments: tuple[Any, ...]
    options: Options


class Layer(Protocol):
    """What stands around every call of a client: it sees what is asked, and the answer or the error.

    `go_on()` makes the call; a layer may do without it, and may give another answer. Where `operation.answers` is not
    "whole" the answer is an `AnswerStream` or a `Binary` that has just begun: a layer that wants to see its end
    gives one of its own, that reads from it.
    """

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any: ...


class Execution(Struct, frozen=True, kw_only=True):
    """What is asked for around a call.

    layers:  from the outside in
    """

    layers: tuple[Layer, ...] = ()

    def run(
        self,
        options: Options,
        method: Callable[..., Awaitable[T]],
        arguments: tuple[Any, ...],
        *,
        making: bool | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Make a call.

        making:  whether it makes something that is not to be made twice; None where it makes nothing
        """
        return cast("Coroutine[Any, Any, T]", self._run(options, method, arguments, making))

    async def _run(
        self, options: Options, method: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...], making: bool | None
    ) -> Any:
        exchange = _exchange(options, method, arguments)

        def send() -> Awaitable[Any]:
            call = partial(method, *arguments, options.call)
            if making is None:
                return retry(call, options.retry)
            return retry_making(call, options.retry, asked=not making)

        go_on: Callable[[], Awaitable[Any]] = send
        for layer in reversed(self.layers):
            go_on = partial(layer.around, exchange, go_on)
        return await go_on()


def _exchange(options: Options, method: Callable[..., Any], arguments: tuple[Any, ...]) -> Exchange:
    request = next((each for each in arguments if isinstance(each, Request)), None)
    return Exchange(
        operation=operation_of(method),
        provider=options.provider,
        model=request.model if request is not None else "",
        request=request,
        arguments=arguments,
        options=options,
    )
