"""Every row that serves an operation, and a client whose row is the scripted provider."""

from typing import Any

import pytest
from loopback import Loopback, Recorded

from onellm import AsyncOneLLM
from onellm.providers.compatible import ROWS

KEY = "sk-test-0123456789abcdef"


def every_row(operation: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if operation in row.operations))


def every_row_without(operation: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "name", sorted(name for name, row in ROWS.items() if operation not in row.operations)
    )


def client_for(name: str, loopback: Loopback, base: str = "/v1", **settings: Any) -> AsyncOneLLM:
    """A client of one provider, whose base URL is the loopback's with `base`; no proxy of the machine takes part."""
    options = {option: "test" for option in ROWS[name].option_env if option == "account_id"}
    own = {"api_key": KEY, "base_url": loopback.url + base, "proxy": "", "options": options}
    return AsyncOneLLM(providers={name: own}, **settings)


def only_request(loopback: Loopback) -> Recorded:
    assert len(loopback.requests) == 1
    return loopback.requests[0]
