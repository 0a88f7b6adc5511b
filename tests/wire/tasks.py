"""Embeddings as a bare list of vectors. https://huggingface.co/docs/inference-providers/tasks/feature-extraction"""

import json
from collections.abc import Sequence
from typing import Any

VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -4.0], [1.5, 0.125, -8.0]]


def embeddings(vectors: Sequence[Sequence[float]]) -> bytes:
    """An answer of these vectors."""
    return json.dumps(vectors).encode()


def check_embeddings_body(body: Any, model: str, given: Sequence[str]) -> None:  # noqa: ARG001 - it stands in the path
    assert body == {"inputs": list(given)}
