"""Reads the async classes and writes the files of `_sync`, or compares them with `--check`."""

import argparse
import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from onellm._sync.generate.layout import imports
from onellm._sync.generate.source import (
    GenerationError,
    Import,
    Source,
    is_docstring,
    merge_import,
    type_variables,
    unquoted,
)
from onellm._sync.generate.twin import Index, Twin

PACKAGE = Path(__file__).parents[2]

_MARK = "# GENERATED from "
_OWN_STATE = """\
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false
# A twin works on the state of what it holds.
"""
_WRITTEN_BY_HAND = {"__init__", "generate", "iteration", "portal"}


def files(package: Path = PACKAGE) -> dict[str, str]:
    """The text of every generated file, by its name.

    Raises:
        GenerationError: something has no blocking form.
    """
    index = _index(package)
    return {
        source.path.name: _text(index, source)
        for source in index.sources
        if any(home is source for home in index.homes.values())
    }


def stale(texts: dict[str, str], directory: Path) -> list[Path]:
    """The files that differ from what they should be, are missing, or should not be there any more."""
    found = [directory / name for name, text in texts.items() if _read(directory / name) != text]
    left = [path for path in directory.glob("*.py") if path.name not in texts and (_read(path) or "").startswith(_MARK)]
    return sorted(found + left)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m onellm._sync.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is not up to date")
    parser.add_argument("--package", type=Path, default=PACKAGE, help="the directory of the package")
    given = parser.parse_args(arguments)
    directory: Path = given.package / "_sync"
    try:
        texts = files(given.package)
    except GenerationError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    found = stale(texts, directory)
    if given.check:
        sys.stderr.write("".join(f"{path} is stale: run make sync\n" for path in found))
        return 1 if found else 0
    for path in found:
        if path.name in texts:
            path.write_text(texts[path.name], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    return 0


def _index(package: Path) -> Index:
    paths = [package / "client.py", *sorted((package / "resources").rglob("*.py"))]
    modules = [".".join((package.name, *path.relative_to(package).with_suffix("").parts)) for path in paths]
    sources = [Source(path, module) for path, module in zip(paths, modules, strict=True)]
    index = Index(sources, clients=sources[0])
    taken = set(_WRITTEN_BY_HAND)
    for source in sources:
        public = [name for name in source.classes if re.match("Async[A-Z]", name)]
        for name in public:
            if (given := _awaited(source, source.classes[name])) is not None:
                index.awaited[name] = type_variables(source.classes[name]), given
        public = [name for name in public if name not in index.awaited]
        if public and source.path.stem in taken:
            raise source.error(source.tree, f"_sync has another file {source.path.name}")
        taken.update([source.path.stem] if public else ())
        for name in public:
            if name in index.homes:
                raise source.error(source.classes[name], f"{index.homes[name].path} has another {name}")
            index.homes[name] = source
            index.twins[name] = Import(f"{package.name}._sync.{source.path.stem}", name.removeprefix("Async"))
    return index


def _awaited(source: Source, node: ast.ClassDef) -> ast.expr | None:
    """What awaiting an object of a class gives, by the `Generator` of its `__await__`."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__await__":
            match unquoted(method.returns or ast.Constant(None)):
                case ast.Subscript(slice=ast.Tuple(elts=[_, _, given])):
                    return given
                case _:
                    raise source.error(method, "__await__ needs the type Generator[Any, Any, …]")
    return None


def _text(index: Index, source: Source) -> str:
    twins = [Twin(index, name) for name, home in index.homes.items() if home is source]
    names: dict[str, Import] = {}
    for twin in twins:
        for name, origin in twin.imports.items():
            merge_import(names, name, origin, source)
    classes = "\n\n\n".join(twin.text for twin in twins)
    top = f"{_MARK}{source.module.replace('.', '/')}.py by onellm._sync.generate. Do not edit: run make sync.\n"
    if re.search(r"\b_async\._(?!_)", classes):
        top += _OWN_STATE
    first = source.tree.body[0]
    parts = [
        top,
        f"{index.docstring(source, first)}\n" if is_docstring(first) else "",
        imports(names) + "\n",
        f"\n{classes}\n",
    ]
    return "\n".join(part for part in parts if part)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
