"""A llama.cpp HTTP server on a free loopback port: `serve_llama.py MODEL KEY`. Prints its URL; ends with its input."""

import sys
from typing import Any

import xllamacpp  # type: ignore[import-untyped]  # it has no types


def main(model: str, key: str) -> None:
    params: Any = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"small"}
    params.n_parallel = 4
    params.n_ctx = 512 * params.n_parallel
    params.n_batch = params.n_ubatch = 512  # an embedding's text has to fit into one
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # more of them fight on a busy machine
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], 0, 32  # a thread for each open stream
    params.api_keys = [key]
    params.endpoint_slots = True
    params.offline, params.warmup, params.verbosity = True, False, 0
    params.cache_ram_mib = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201 - what the caller waits for
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
