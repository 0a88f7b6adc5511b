"""Frames of Amazon's event stream, written by hand from its specification.

https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import json
import struct
from binascii import crc32
from collections.abc import Mapping
from typing import Any


def header(name: str, kind: int, value: bytes) -> bytes:
    """One header; value is what follows the number of its type."""
    return bytes([len(name)]) + name.encode() + bytes([kind]) + value


def frame(headers: Mapping[str, str] | bytes, payload: bytes) -> bytes:
    """One frame; its headers as texts, or as the bytes they are."""
    if not isinstance(headers, bytes):
        texts = ((name, value.encode()) for name, value in headers.items())
        headers = b"".join(header(name, 7, struct.pack(">H", len(text)) + text) for name, text in texts)
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(kind: str, payload: Any) -> bytes:
    """An event of a service."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, _json(payload))


def exception(kind: str, payload: Any) -> bytes:
    """A refusal inside a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, _json(payload))
