"""`onellm map`: a file of prompts or requests, answered."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# Rows of any shape are taken apart here, by patterns that prove what they use.

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from onellm import config as config_module
from onellm.cli.outputs import ANSWERS
from onellm.cli.pipeline import Pipeline, Run
from onellm.cli.rows import field_of
from onellm.cli.settings import choose_model
from onellm.client import AsyncOneLLM


def run(arguments: Namespace) -> int:
    """Answer the rows of a file into another."""
    this = Run(arguments, choose_model(arguments.model, "chat", config_module.load()), ANSWERS)
    given = {"max_tokens": arguments.max_tokens, "temperature": arguments.temperature}
    params: Any = {name: value for name, value in given.items() if value is not None}

    def begin(client: AsyncOneLLM, rows: Iterator[Any]) -> Pipeline:
        return client.chat.completions.map(
            (_request(row, place, arguments) for place, row in enumerate(rows)),
            model=this.model,
            mode=arguments.mode,
            concurrency=arguments.concurrency,
            on_error=this.on_error,
            checkpoint=this.checkpoint,
            **params,
        )

    return this.start(begin)


def _request(row: Any, place: int, arguments: Namespace) -> Any:
    """What a row asks: a request as `create` takes it, a line of a batch's file, or the prompt in a field."""
    own_id = row.get(arguments.id_field) if arguments.id_field and isinstance(row, dict) else None
    match row:
        case {"custom_id": str() as custom_id, "body": {"messages": [*_]} as body}:
            asked: Any = {name: value for name, value in body.items() if name != "model"}
            own_id = own_id or custom_id
        case {"messages": [*_]}:
            names = {arguments.id_field} if arguments.id_field else set[str]()
            asked = {name: value for name, value in row.items() if name not in names}
        case _:
            asked = field_of(row, arguments.field, place, arguments.source)
            if isinstance(asked, str) and arguments.system:
                system = {"role": "system", "content": arguments.system}
                asked = [system, {"role": "user", "content": asked}]
    return asked if own_id is None else (own_id if isinstance(own_id, int) else str(own_id), asked)
