"""Recorded provider traffic, where it is at hand: beside the project, or where ONELLM_TRAFFIC says.

Real exchanges between public clients and providers, one gzipped JSON Lines file a provider. It is not part of the
project: tests that need it are skipped without it.
"""

import base64
import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("ONELLM_TRAFFIC") or Path(__file__).parents[3] / "shared" / "traffic")

# Whose recordings a row reads, where the names differ.
ROWS = {
    "llamacpp": "llama-server",
    "vercel_ai_gateway": "vercel",
    "gpustack": "openai-compatible",
    "litellm_proxy": "openai-compatible",
    "alibaba": "openai-compatible",
    "avian": "openai-compatible",
    "heroku": "openai-compatible",
    "hyperbolic": "openai-compatible",
    "novita": "openai-compatible",
    "portkey": "openai-compatible",
    "writer": "openai-compatible",
    "bedrock_mantle": "openai-compatible",
    "gemini": "google-openai",
}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer."""

    id: str
    provider: str
    kind: str
    operation: str
    fidelity: str
    tags: frozenset[str]
    url: str
    request: Any
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def row(self) -> str:
        return ROWS.get(self.provider, self.provider)


def exchanges() -> Iterator[Exchange]:
    """All of them; none where the folder is absent."""
    for file in sorted(FOLDER.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                response = record["response"]
                text = response.get("body_text")
                yield Exchange(
                    id=record["id"],
                    provider=record["provider"],
                    kind=record["endpoint_kind"],
                    operation=record["operation"],
                    fidelity=record["fidelity"],
                    tags=frozenset(record["tags"]),
                    url=record["request"]["url"],
                    request=record["request"]["body"],
                    status=response["status"],
                    headers={name.lower(): value for name, value in response["headers"].items()},
                    body=base64.b64decode(response["body_b64"]) if text is None else text.encode(),
                )
