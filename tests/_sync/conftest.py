"""What the tests of the blocking side share: a provider in a thread of its own, and a client bound to it."""

from collections.abc import Iterator

import pytest
from threaded import Provider

from onellm import HttpOptions, OneLLM


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def client(provider: Provider) -> Iterator[OneLLM]:
    with OneLLM(api_key="k", base_url=f"{provider.loopback.url}/v1", http=HttpOptions(proxy="")) as made:
        yield made
