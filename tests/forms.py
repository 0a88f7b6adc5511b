"""Forms as they arrived."""

import email.parser
import email.policy
import re
from typing import cast

from loopback import Recorded


def parts(request: Recorded) -> list[tuple[dict[str, str], bytes]]:
    """The parts of a recorded form, read by Python's own parser of MIME: headers in lower case, and content."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    return [
        ({name.lower(): value for name, value in part.items()}, cast("bytes", part.get_payload(decode=True)))
        for part in message.iter_parts()
    ]


def fields(request: Recorded) -> list[tuple[str, str]]:
    """The plain fields, in the order in which they came."""
    return [
        (_param(headers, "name"), content.decode())
        for headers, content in parts(request)
        if "filename" not in headers["content-disposition"]
    ]


def files(request: Recorded) -> list[tuple[str, str, str, bytes]]:
    """The files: field, file name, content type, content."""
    return [
        (_param(headers, "name"), _param(headers, "filename"), headers["content-type"], content)
        for headers, content in parts(request)
        if "filename" in headers["content-disposition"]
    ]


def _param(headers: dict[str, str], name: str) -> str:
    found = re.search(rf'; {name}="([^"]*)"', headers["content-disposition"])
    assert found is not None
    return found[1]
