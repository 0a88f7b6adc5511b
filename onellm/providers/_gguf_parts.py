"""Models in parts, `model-00001-of-00003.gguf` and so on: llama.cpp is told the first, and finds the others by name.

https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split
"""

import re

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf(?=$|[?#])")
_MOST = 1000  # more are a mistake, and no model


def all_parts(name: str) -> list[str]:
    """The names of all parts, where this is the name or URL of the first; else this one alone."""
    found = _PART.search(name)
    if found is None or int(found[1]) != 1 or not 1 < int(found[2]) <= _MOST:
        return [name]
    before, after = name[: found.start()], name[found.end() :]
    return [f"{before}-{number:05}-of-{found[2]}.gguf{after}" for number in range(1, int(found[2]) + 1)]


def without_later(names: list[str]) -> list[str]:
    """These names, but for the parts whose first is among them."""
    later = {part for name in names for part in all_parts(name)[1:]}
    return [name for name in names if name not in later]
