"""Python text laid out as the formatter would."""

import ast
import io
import sys
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from onellm._sync.generate.source import Import

WIDTH = 120
TAB = "    "


def one_line(node: ast.expr) -> str:
    """An expression, its texts in double quotes."""
    line = ast.unparse(node)
    for token in tokenize.generate_tokens(io.StringIO(line).readline):
        if token.type == tokenize.STRING and token.string.startswith("'") and '"' not in token.string:
            start, end = token.start[1], token.end[1]
            line = f'{line[:start]}"{token.string[1:-1]}"{line[end:]}'
    return line


def header(
    name: str,
    parameters: Sequence[tuple[str, str]],
    answer: str,
    *,
    comments: tuple[str, str],
    apart: bool,
    room: int = 0,
) -> str:
    """`def name(…) -> answer:`.

    parameters:  text and comment of each
    comments:    those after "def name(" and after the colon
    apart:       each parameter on a line of its own
    room:        what comes after it on its line, in characters
    """
    first, last = f"{TAB}def {name}(", f") -> {answer}:" + (f"  {comments[1]}" if comments[1] else "")
    texts = [text for text, _ in parameters]
    if not apart and not any(comment for _, comment in parameters):
        line = ", ".join(texts)
        code = f"{first}{line}) -> {answer}:"
        if len(code) <= WIDTH - room and not comments[0]:
            return first + line + last
        if len(TAB * 2 + line) <= WIDTH:
            opening = first + (f"  {comments[0]}" if comments[0] else "")
            return "\n".join([opening, TAB * 2 + line, TAB + last])
    lines = [TAB * 2 + text + "," + (f"  {comment}" if comment else "") for text, comment in parameters]
    return "\n".join([first + (f"  {comments[0]}" if comments[0] else ""), *lines, TAB + last])


def call(before: str, functions: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """The lines of `before f(g(h(arguments)))`, in a method."""
    line = TAB * 2 + before + "".join(f"{function}(" for function in functions) + ", ".join(arguments)
    if len(line) + len(functions) <= WIDTH:
        return [line + ")" * len(functions)]
    indents = [TAB * (2 + depth) for depth in range(len(functions) + 1)]
    opened = [f"{indent}{function}(" for indent, function in zip(indents, functions, strict=False)]
    opened[0] = f"{indents[0]}{before}{functions[0]}("
    spread = [f"{indents[-1]}{argument}," for argument in arguments]
    return [*opened, *spread, *(f"{indent})" for indent in reversed(indents[:-1]))]


def imports(names: Mapping[str, Import]) -> str:
    """Import statements, sorted; those for type checkers last."""
    always = {name: origin for name, origin in names.items() if not origin.typing_only}
    typing_only = {name: origin for name, origin in names.items() if origin.typing_only}
    if typing_only:
        always["TYPE_CHECKING"] = Import("typing", "TYPE_CHECKING")
    text = _sections(always, WIDTH)
    if typing_only:
        lines = _sections(typing_only, WIDTH - len(TAB)).splitlines()
        text += "\n\nif TYPE_CHECKING:\n" + "\n".join(TAB + line if line else line for line in lines)
    return text


def _sections(names: Mapping[str, Import], width: int) -> str:
    def section(item: tuple[str, Import]) -> int:
        top = item[1].module.partition(".")[0]
        return 0 if top in sys.stdlib_module_names else 2 if top == "onellm" else 1

    found = sorted(names.items(), key=section)
    return "\n\n".join("\n".join(_statements(dict(items), width)) for _, items in groupby(found, section))


def _statements(names: Mapping[str, Import], width: int) -> Iterable[str]:
    plain = {(origin.module, name) for name, origin in names.items() if origin.name is None}
    yield from (f"import {module}" + (f" as {name}" if name != module else "") for module, name in sorted(plain))
    for module in sorted({origin.module for origin in names.values() if origin.name is not None}):
        members = sorted(
            ((origin.name or "", name) for name, origin in names.items() if origin.module == module and origin.name),
            key=lambda member: (_rank(member[0]), member[0].lower(), member[0]),
        )
        texts = [original + (f" as {name}" if name != original else "") for original, name in members]
        line = f"from {module} import {', '.join(texts)}"
        if len(line) <= width:
            yield line
        else:
            yield "\n".join([f"from {module} import (", *(f"{TAB}{text}," for text in texts), ")"])


def _rank(name: str) -> int:
    """Constants, classes, the rest."""
    if name.isupper() and len(name) > 1:
        return 0
    return 1 if name[0].isupper() else 2
