"""A provider in a thread of its own, as the tests of batches block, and the settings of a client that reaches it."""

from collections.abc import Iterator

import pytest
from openai_host import openai_host
from threaded import Provider

from onellm import HttpOptions, Secret
from onellm.integrations.ray import ClientOptions


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    made.loopback.chooses(openai_host)
    yield made
    made.close()


@pytest.fixture
def here(provider: Provider) -> ClientOptions:
    return {"api_key": Secret("sk-1"), "base_url": f"{provider.loopback.url}/v1", "http": HttpOptions(proxy="")}
