"""A host of one model file, which it sends whole, in part, or broken."""

import hashlib
from pathlib import Path

from loopback import Answer, Loopback, Recorded

MODEL = b"GGUF" + bytes(range(256)) * 400
DIGEST = hashlib.sha256(MODEL).hexdigest()
HALF = len(MODEL) // 2


class Host:
    """Keeps one file. Its switches say how it sends it."""

    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.url = f"{server.url}/models/tiny.gguf"
        self.content = MODEL
        self.etag = f'"{DIGEST}"'
        self.ranges = True
        self.cuts: list[str] = []  # how the next answers end in their middle

    def __call__(self, request: Recorded) -> Answer:
        begin = 0
        if self.ranges and (asked := request.headers.get("range")):
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(self.content):
            return Answer(status=416, headers={"Content-Range": f"bytes */{len(self.content)}"}, length=0)
        rest = self.content[begin:]
        headers = {"ETag": self.etag} if self.etag else {}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"
        cut = self.cuts.pop(0) if self.cuts else ""
        return Answer(
            status=206 if begin else 200,
            chunks=[rest[: len(rest) // 2] if cut else rest],
            content_type="application/octet-stream",
            headers=headers,
            length=len(rest),
            cut=cut,
        )


def left(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
