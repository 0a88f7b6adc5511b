"""Parquet in and Parquet out over a Ray cluster, here of this machine. Needs onellm[ray] and OPENAI_API_KEY."""

# pyright: basic, reportMissingImports=false
# Neither Ray nor pyarrow has complete types, and not everybody has them.

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from onellm.integrations.ray import ChatBatch, EmbedBatch

COUNT = 2000

Path("documents").mkdir(exist_ok=True)
texts = [f"Document number {number}" for number in range(COUNT)]
pq.write_table(pa.table({"id": range(COUNT), "text": texts}), "documents/all.parquet")

ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR")
two = ray.data.ActorPoolStrategy(size=2)  # actors, each with a client of its own; what reads and writes needs CPUs, too

embedded = (
    ray.data.read_parquet("documents")
    .repartition(8)
    .map_batches(
        EmbedBatch,
        fn_constructor_kwargs={"model": "openai/text-embedding-3-small", "column": "text"},
        batch_size=250,
        compute=two,
    )
)
embedded.write_parquet("vectors")

answered = (
    ray.data.read_parquet("documents")
    .limit(10)
    .map_batches(
        ChatBatch,
        fn_constructor_kwargs={"model": "openai/gpt-5.4-mini", "column": "text", "system": "Say what it is."},
        compute=two,
    )
)
for row in answered.take(2):
    print(row["id"], row["answer"])

found = pq.read_table("vectors")
print(f"{found.num_rows} rows, {sorted(found.column_names)}")
ray.shutdown()
