"""The one place through which every call goes.

Around a call, from the outside in: the client's layers, fallbacks, a hedge, retries, and then its provider. Where none
of these but retries is asked for, a call is the coroutine of `retry` and nothing else.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, TypeVarTuple

from msgspec import Struct

from onellm.errors import OneLLMError
from onellm.policy.retry import RetryPolicy, retry, retry_failed, retry_making
from onellm.providers.base import Call
from onellm.types.options import OnUnsupported
from onellm.types.request import Request

if TYPE_CHECKING:
    from onellm.policy.execution import Execution

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
RequestT = TypeVar("RequestT", bound=Request)

Whole: TypeAlias = Callable[[Any, Any, "Options"], Coroutine[Any, Any, T]]
"""Makes one call of several requests: given a provider, the whole request, and options that `send` each."""


class Options(Struct, frozen=True, kw_only=True):
    """The options of one call, with the client's where the call gives none.

    provider:   the name of the one that is asked
    execution:  what stands around the call beside retries; None is nothing
    """

    provider: str
    call: Call
    retry: RetryPolicy
    on_unsupported: OnUnsupported
    extra_body: Mapping[str, Any] | None
    execution: "Execution | None" = None

    def send(
        self, method: Callable[[*Arguments, Call], Awaitable[T]], *arguments: *Arguments
    ) -> Coroutine[Any, Any, T]:
        """Make a call: `method(*arguments, call)`, where the method is a provider's.

        Raises:
            OneLLMError: the last attempt's.
        """
        if self.execution is None:
            return retry(method, self.retry, *arguments, self.call)
        return self.execution.run(self, method, arguments)

    def send_again(
        self,
        failed: OneLLMError,
        began: float,
        method: Callable[[*Arguments, Call], Awaitable[T]],
        *arguments: *Arguments,
    ) -> Coroutine[Any, Any, T]:
        """`send`, where nothing stands around a call and its first attempt, at `began`, has been made and has failed.

        Who awaits the first attempt itself has a coroutine and four objects less in flight.
        """
        return retry_failed(failed, began, method, self.retry, *arguments, self.call)

    def send_whole(
        self, whole: Whole[T], method: Callable[[RequestT, Call], Awaitable[T]], provider: object, request: RequestT
    ) -> Coroutine[Any, Any, T]:
        """`send` for a call that may take several requests: `whole(provider, request, options)` sends each of them."""
        if self.execution is None:
            return whole(provider, request, self)
        return self.execution.run(self, method, (request,), whole=whole)

    def begun(self) -> "Options":
        """These options with a deadline that runs: for what is made of several calls."""
        return self if self.execution is None else self.execution.begun(self)

    def send_making(
        self, method: Callable[[*Arguments, Call], Awaitable[T]], *arguments: *Arguments, asked: bool
    ) -> Coroutine[Any, Any, T]:
        """`send` for a call that makes something, which is not to be made twice: see `retry_making`."""
        if self.execution is None:
            return retry_making(method, self.retry, *arguments, self.call, asked=asked)
        return self.execution.run(self, method, arguments, making=not asked)
