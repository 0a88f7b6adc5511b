"""Parquet in, Parquet with vectors out, by several processes that share one limit.

Needs `pip install "onellm[ray,redis]"`, OPENAI_API_KEY, and a Redis at REDIS_URL. Reads documents/, writes vectors/.

    python examples/ray_embeddings.py [--model NAME] [--workers 3] [--per-minute 600]
"""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyarrow has no types, Ray's are partial, and both are extras.

import argparse
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from onellm import Limits, RedisLimits
from onellm.integrations.ray import EmbedBatch


def write_documents(folder: Path) -> None:
    """Something to read, in several files."""
    folder.mkdir()
    for part in range(6):
        numbers = range(part * 200, (part + 1) * 200)
        texts = [f"What document number {number} says" for number in numbers]
        pq.write_table(pa.table({"id": list(numbers), "text": texts}), folder / f"{part}.parquet")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="openai/text-embedding-3-small")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--per-minute", type=float, default=600)
    asked = parser.parse_args()
    documents, vectors = Path("documents").resolve(), Path("vectors").resolve()
    if not documents.exists():
        write_documents(documents)

    # Each worker has a client of its own. Keys are read where it runs; Redis keeps the limit for all of them.
    limits = Limits(requests_per_minute=asked.per_minute, shared=RedisLimits(url=os.environ["REDIS_URL"]))
    texts = ray.data.read_parquet(str(documents)).repartition(target_num_rows_per_block=100)  # a call a block
    embedded = texts.map_batches(
        EmbedBatch,
        fn_constructor_kwargs={"model": asked.model, "on_error": "null", "request_size": 20, "limits": limits},
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=asked.workers),
        num_cpus=0.1,  # a worker waits for the network most of the time
    )
    embedded.write_parquet(str(vectors), mode=ray.data.SaveMode.OVERWRITE)

    written = pq.read_table(vectors)
    failed = len(written) - written["error"].null_count
    print(f"{len(written)} rows, {failed} failed, {written.schema.field('embedding').type}")


if __name__ == "__main__":
    ray.init(log_to_driver=False)  # a cluster on this machine; address="auto" is one that runs already
    main()
    ray.shutdown()
