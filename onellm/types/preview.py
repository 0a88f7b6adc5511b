"""A request as it would go out."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.types.files import Form


class PreviewedRequest(Struct, frozen=True, kw_only=True):
    """The request of a call that was not made; keys and whatever may be one are `***`.

    body:         as it would be sent, None where there is none or it is a form
    form:         the fields and files of a form; the files have not been read
    stream:       whether the answer would be read as a stream
    adjustments:  what was renamed, emulated or left out for this provider
    """

    provider: str
    model: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    form: Form | None = None
    stream: bool = False
    adjustments: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        """The body, decoded; None where there is none.

        Raises:
            ValueError: it is not JSON.
        """
        return None if self.body is None else msgspec.json.decode(self.body)
