"""`data:` URLs: the content of a part in the part itself. https://www.rfc-editor.org/rfc/rfc2397"""

import base64
import re
from typing import NamedTuple

_HEAD = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>(?:;[^;,]*)*?)(?P<base64>;\s*base64)?\s*,", re.IGNORECASE)


class Content(NamedTuple):
    """What a URL holds.

    media_type:  in lower case; "" where the URL says none
    parameters:  of the type, as they stand: ";rate=24000"
    data:        base64
    """

    media_type: str
    parameters: str
    data: str


def is_data_url(text: str) -> bool:
    return text[:5].lower() == "data:"


def parse(url: str) -> Content | None:
    """The content of a `data:` URL; None where it is no such URL. What is percent-encoded becomes base64."""
    found = _HEAD.match(url)
    if found is None:
        return None
    content = url[found.end() :]
    if not found["base64"]:
        from urllib.parse import unquote_to_bytes  # noqa: PLC0415 - hardly ever so

        content = base64.b64encode(unquote_to_bytes(content)).decode()
    elif content[:1].isspace() or content[-1:].isspace():
        content = content.strip()
    return Content(found["type"].strip().lower(), found["parameters"], content)
