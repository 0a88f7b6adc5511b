"""The import rule: a layer imports what stands below it, and nothing else; and what the pure layers may not touch.

Read from the source, so that imports inside functions count too.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import onellm
from onellm.providers.registry import list_providers
from onellm.types.chat_params import NATIVE_OPTIONS

PACKAGE = Path(onellm.__file__).parent
DECODERS = {"onellm.transport.sse", "onellm.transport.ndjson", "onellm.transport.eventstream"}
FACADE = ("onellm._sync", "onellm.short_forms", "onellm.cli", "onellm.integrations")
BELOW_DIALECTS = ("onellm.errors", "onellm.types", *DECODERS)
ABOVE_TRANSPORT = ("onellm.dialects", "onellm.providers", "onellm.policy", "onellm.pipeline", "onellm.config")

# What each part may import of ours, by prefixes; the first entry that fits a module counts.
MAY_IMPORT: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("onellm.errors",), ()),
    (tuple(DECODERS), ("onellm.errors",)),
    (("onellm.types",), ("onellm.errors", "onellm.types")),
    (("onellm.dialects",), ("onellm.dialects", *BELOW_DIALECTS)),
    (("onellm.transport",), ("onellm.transport", "onellm.errors", "onellm.types")),
    (
        ("onellm.providers",),
        ("onellm.providers", "onellm.dialects", "onellm.transport", "onellm.errors", "onellm.types"),
    ),
    (
        ("onellm.policy",),
        ("onellm.policy", "onellm.errors", "onellm.types", "onellm.providers.base", "onellm.providers.protocols"),
    ),
    (("onellm.pipeline",), ("onellm.pipeline", "onellm.policy", "onellm.errors", "onellm.types")),
    (("onellm.voice",), ("onellm.voice", "onellm.errors", "onellm.types")),
    (FACADE, ("onellm",)),
    (("onellm.config",), ("onellm.errors", "onellm.types")),
    (
        ("onellm.resources", "onellm.client"),
        (
            *("onellm.resources", "onellm.client", *ABOVE_TRANSPORT, "onellm.transport", "onellm.voice"),
            *("onellm.errors", "onellm.types"),
        ),
    ),
    (("onellm.__init__", "onellm.__main__"), ("onellm",)),
]
# Modules of the standard library and of others that bring time, chance, I/O or a network.
IMPURE = {
    "aiohttp", "asyncio", "concurrent", "httpx", "logging", "multiprocessing", "os", "pathlib", "random",
    "requests", "secrets", "socket", "ssl", "stamina", "subprocess", "threading", "time", "uuid",
}  # fmt: skip
PURE = ("onellm.types", "onellm.errors", "onellm.dialects", *DECODERS)
# Words of English that are providers' names too: they may stand in prose, not in code.
ENGLISH = {"together", "replicate", "local", "azure", "nebula", "cortex"}
# Words of wire formats that are providers' names too: a field is called as its inventor calls it.
ON_THE_WIRE = {"meta"}


def module_name(path: Path) -> str:
    parts = ["onellm", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts if len(parts) == 2 or parts[-1] != "__init__" else parts[:-1])


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
every_module = pytest.mark.parametrize("module", MODULES)


def under(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def imports(module: str) -> Iterator[str]:
    """What a module imports, anywhere in it; `from a import b` is a.b where that is a module."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides its layer"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else str(node.module)


def test_every_module_has_a_layer() -> None:
    homeless = [name for name in MODULES if not any(under(name, who) for who, _ in MAY_IMPORT)]
    assert not homeless
    assert {"onellm.errors", "onellm.dialects.openai.chat", "onellm.resources.core", "onellm.client"} <= set(MODULES)


@every_module
def test_a_layer_imports_what_stands_below_it(module: str) -> None:
    allowed = next(may for who, may in MAY_IMPORT if under(module, who))
    ours = {name for name in imports(module) if under(name, ("onellm",))}
    assert not {name for name in ours if not under(name, allowed)}


@every_module
def test_nothing_imports_the_facade(module: str) -> None:
    """These stand on top: only they, the package's table of names and `__main__` know them."""
    if not under(module, (*FACADE, "onellm.__init__", "onellm.__main__")):
        assert not [name for name in imports(module) if under(name, FACADE)]


# What a method does whose caller asks for just that: `image.save(path)`.
ASKED_FOR = {"onellm.types.images": {"open"}}


@pytest.mark.parametrize("module", [name for name in MODULES if under(name, PURE)])
def test_the_pure_layers_touch_nothing(module: str) -> None:
    """No clock, no chance, no I/O: what they need of these arrives as an argument."""
    assert not {name for name in imports(module) if name.partition(".")[0] in IMPURE}
    called = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.Call)
    }
    allowed = ASKED_FOR.get(module, set())
    assert not called & {"open", "print", "input", "datetime.now", "datetime.utcnow", "date.today"} - allowed


# --- no provider is known by its name -----------------------------------------------------------------------------

# A dialect's module may be called as its inventor is; so may what it defines, and the options of its API.
FORMATS = {path.stem for path in (PACKAGE / "dialects").iterdir()}
NAMES = {name.lower() for name in list_providers()} - FORMATS - NATIVE_OPTIONS - ON_THE_WIRE


def words(text: str) -> set[str]:
    """The words of a text or an identifier: `x_groq`, `GroqChat` and "a Groq key" all hold groq."""
    parts = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text)
    return {part.lower() for part in parts} | {part.lower() for part in re.findall(r"[A-Za-z0-9]+", text)}


DIALECTS = [name for name in MODULES if under(name, ("onellm.dialects",))]


@pytest.mark.parametrize("module", DIALECTS)
def test_no_providers_name_occurs_in_a_dialect(module: str) -> None:
    """A dialect knows wire formats. What one host does is data in its row, or a subclass in its module."""
    source = MODULES[module].read_text()
    docstrings = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT):
            continue
        prose = token.type == tokenize.COMMENT or any(text and text in token.string for text in docstrings)
        known = NAMES - ENGLISH if prose else NAMES
        found = words(token.string) & known | {name for name in known if not name.isalnum() and name in token.string}
        assert not found, f"line {token.start[0]}"


@every_module
def test_no_provider_is_asked_for_its_name(module: str) -> None:
    """`if provider == "x"` is a quirk in the wrong place."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Compare):
            constants = {
                part.value
                for side in (node.left, *node.comparators)
                for part in ast.walk(side)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
            assert not constants & set(list_providers()), f"{module}:{node.lineno}"


# --- importing is cheap -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement", ["import onellm", "from onellm import AsyncOneLLM", "from onellm import AsyncOneLLM; AsyncOneLLM()"]
)
def test_importing_loads_no_http_library(statement: str) -> None:
    """aiohttp is imported at the first request, stamina when something has failed, numpy when it is asked for."""
    code = f"import sys; {statement}; print(*sorted({{'aiohttp', 'stamina', 'numpy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    assert (done.stdout.strip(), done.stderr) == ("", "")
