"""What a client has done, and what it is doing."""

from msgspec import Struct


class ModelStats(Struct, frozen=True, kw_only=True):
    """Counts of the calls of one model since the client was made.

    calls:          that have begun, those from a cache and those that share a request included
    in_flight:      calls that are under way; a stream is until it has ended or is closed
    requests:       that were sent, each attempt counted, those of a stand-in under its own name
    retries:        attempts after a failed one, with this model or another
    errors:         calls that failed for good, by the class of their error
    cancelled:      calls that were cancelled, and streams that were left before their end
    cache_hits:     answers from a cache of the client
    input_tokens, output_tokens:  as answers say, of what was asked of the provider; what is left early says nothing
    """

    calls: int = 0
    in_flight: int = 0
    requests: int = 0
    retries: int = 0
    errors: dict[str, int] = {}
    cancelled: int = 0
    cache_hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class ClientStats(ModelStats, frozen=True, kw_only=True):
    """Counts of all calls of a client.

    queued:  requests that wait for their turn, where there are limits
    models:  the same by "provider/model"; calls without a model stand under their provider's name
    """

    queued: int = 0
    models: dict[str, ModelStats] = {}


class CallUnderWay(Struct, frozen=True, kw_only=True):
    """A call that has not come to its end.

    operation:  such as "chat.completions.create"
    model:      as "provider/model"
    stream:     whether its answer is read as it comes
    seconds:    since it began
    """

    operation: str
    model: str
    stream: bool
    seconds: float


class Drained(Struct, frozen=True, kw_only=True):
    """How a client came to its end.

    finished:  how many calls came to theirs meanwhile
    left:      the calls that did not, the oldest first
    """

    finished: int
    left: list[CallUnderWay]
