"""Rerankings as hosts send them, all of the same three documents with the same scores."""

import json
from typing import Any

QUERY = "what is ruby"
DOCUMENTS = ["Paris is the capital of France", "Ruby is a language created by Matz", "A ruby is a red gem"]
SCORES = [0.125, 0.828125, 0.5]
BEST_FIRST = [1, 2, 0]

ANSWERS: dict[str, Any] = {
    "cohere-like": {
        "id": "gen-rerank-1786406983",
        "model": "rerank-2.5-lite",
        "provider": "VoyageAI by MongoDB",
        "results": [
            {"index": place, "relevance_score": SCORES[place], "document": {"text": DOCUMENTS[place]}}
            for place in BEST_FIRST
        ],
        "usage": {"total_tokens": 17, "search_units": 1, "cost": 3.4e-7},
    },
    # Fireworks: https://docs.fireworks.ai/api-reference/rerank-documents
    "data": {
        "object": "list",
        "model": "accounts/fireworks/models/qwen3-reranker-8b",
        "data": [{"index": place, "relevance_score": SCORES[place], "document": None} for place in BEST_FIRST],
        "usage": {"prompt_tokens": 17, "total_tokens": 17, "completion_tokens": 0},
    },
    "llama-server": {
        "model": "bge",
        "object": "list",
        "results": [{"index": place, "relevance_score": score} for place, score in enumerate(SCORES)],
        "usage": {"prompt_tokens": 17, "total_tokens": 17},
    },
    "sglang": [
        {"score": SCORES[place], "document": None, "index": place, "meta_info": {"id": "x"}} for place in BEST_FIRST
    ],
    "tei": [{"index": place, "score": SCORES[place]} for place in BEST_FIRST],
    # https://docs.nvidia.com/nim/nemo-retriever/text-reranking/latest/using-reranking.html
    "rankings": {
        "rankings": [{"index": place, "logit": SCORES[place]} for place in BEST_FIRST],
        "usage": {"prompt_tokens": 17, "total_tokens": 17},
    },
    "scores": {
        "scores": SCORES,
        "input_tokens": 17,
        "request_id": "R7X",
        "inference_status": {"status": "unknown", "runtime_ms": 0, "cost": 0.0, "tokens_input": 17},
    },
}

# Which shape each row answers in.
SHAPES = {
    "deepinfra": "scores",
    "fireworks": "data",
    "llama-server": "llama-server",
    "nvidia": "rankings",
    "openrouter": "cohere-like",
    "sglang": "sglang",
    "tei": "tei",
    "together": "cohere-like",
    "vllm": "cohere-like",
}


def body(shape: str) -> bytes:
    return json.dumps(ANSWERS[shape]).encode()
