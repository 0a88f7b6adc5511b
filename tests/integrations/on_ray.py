"""A dataset through the actors of a Ray of its own; says as JSON what came of it.

    python on_ray.py FOLDER

FOLDER is where Ray keeps its files. The key in HIDDEN_KEY travels with the arguments; the host is in OPENAI_BASE_URL.
"""

import json
import os
import sys
from typing import Any

import ray
from ray.exceptions import RayTaskError

from onellm import Secret
from onellm.integrations.ray import ChatBatch, EmbedBatch


class Signed(EmbedBatch):
    """Says in which process it ran."""

    def __call__(self, batch: Any) -> Any:
        done: dict[str, Any] = super().__call__(batch)
        return {**done, "process": [os.getpid()] * len(done["id"])}


def main(key: str) -> dict[str, Any]:
    arguments = {"model": "openai/m", "client": {"api_key": Secret(key)}}
    texts = [{"id": number, "text": "x" * (number + 1)} for number in range(60)]
    found = (
        ray.data.from_items(texts)
        .repartition(6)
        .map_batches(
            Signed,
            fn_constructor_kwargs=arguments,
            batch_size=5,
            compute=ray.data.ActorPoolStrategy(size=3, max_tasks_in_flight_per_actor=1),
        )
        .take_all()
    )
    answered = (
        ray.data.from_items([{"prompt": "one"}, {"prompt": "two"}])
        .map_batches(
            ChatBatch,
            fn_constructor_kwargs={**arguments, "usage_columns": True},
            batch_format="pandas",
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        .take_all()
    )
    failed = ""
    try:
        ray.data.from_items([{"text": "bad"}]).map_batches(
            EmbedBatch, fn_constructor_kwargs=arguments, compute=ray.data.ActorPoolStrategy(size=1)
        ).take_all()
    except RayTaskError as exc:
        failed = str(exc)
    return {
        "ids": [row["id"] for row in found],
        "lengths": [float(row["embedding"][0]) for row in found],
        "kind": f"{found[0]['embedding'].dtype} {found[0]['embedding'].shape}",
        "processes": sorted({int(row["process"]) for row in found} - {os.getpid()}),
        "answers": sorted((row["answer"], int(row["completion_tokens"])) for row in answered),
        "failed": failed,
    }


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[1])
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    said = main(os.environ["HIDDEN_KEY"])
    ray.shutdown()
    sys.stdout.write(json.dumps(said))
