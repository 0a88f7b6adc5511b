"""A file from a host that sends one on, as those do that keep models: the only redirects that are followed.

Nothing but such a file is asked for in this way. What shows who asks goes to the host that was named and to no other:
a redirect to another origin is followed without it, and never from https to http.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from onellm.errors import ResponseDecodeError
from onellm.transport.http import HttpStream, HttpTransport
from onellm.types.options import Timeouts

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_PORTS = {"http": 80, "https": 443}


class Followed(Struct, frozen=True):
    """The answer at the end of the way.

    linked:  what the host that was asked said of the file itself (`x-linked-etag`, `x-linked-size`) before it sent on;
             its header names are in lower case
    """

    stream: HttpStream
    linked: Mapping[str, str]


async def get(
    transport: HttpTransport,
    url: str,
    *,
    headers: Mapping[str, str],
    timeouts: Timeouts,
    proxy: Callable[[str], str | None],
) -> Followed:
    """GET a URL, through redirects; the answer may be a refusal.

    Raises:
        APIConnectionError, APITimeoutError: no answer.
        ResponseDecodeError: a redirect that is not followed: too many, to nowhere, or to what is no https.
    """
    linked: dict[str, str] = {}
    sent = dict(headers)
    for _ in range(MOST_REDIRECTS + 1):
        stream = await transport.stream("GET", url, headers=sent, body=None, timeouts=timeouts, proxy=proxy(url))
        if stream.status not in _REDIRECTS:
            return Followed(stream, linked)
        said = {name.lower(): value for name, value in stream.headers.items()}
        stream.close()
        linked = {name: value for name, value in said.items() if name.startswith("x-linked-")} | linked
        there = urljoin(url, said.get("location", ""))
        _check(url, there)
        if _origin(there) != _origin(url):
            sent = {name: value for name, value in sent.items() if name.lower() not in _SECRET}
        url = there
    raise ResponseDecodeError(f"more than {MOST_REDIRECTS} redirects, the last to {_shown(url)}")


def _check(here: str, there: str) -> None:
    before, after = urlsplit(here), urlsplit(there)
    if there == here or after.scheme not in _PORTS or not after.hostname or after.username is not None:
        raise ResponseDecodeError(f"{_shown(here)} redirects to nowhere")
    if before.scheme == "https" and after.scheme != "https":
        raise ResponseDecodeError(f"{_shown(here)} redirects to {_shown(there)}, which is not https: not followed")


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _shown(url: str) -> str:
    """Without the query: that of a host which keeps files holds a signature."""
    return url.partition("?")[0]
