"""Keys stay out of sight, and a key that cannot work is refused where it comes in."""

import logging
import traceback

import pytest

from onellm.errors import ConfigurationError
from onellm.types.secret import Secret

KEY = "sk-very-private-0123456789"


def test_a_key_is_shown_nowhere() -> None:
    secret = Secret(KEY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        repr([secret]),
        repr({"k": secret}),
    ]
    record = logging.LogRecord("n", logging.INFO, "p", 1, "key %s", (secret,), None)
    assert not any(KEY in text for text in [*shown, record.getMessage()])
    assert secret.reveal() == KEY
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("bad", ["", " ", KEY + "\n", "\r" + KEY, "a b", KEY + "\0", KEY + "\x7f", "kéy", "\tk"])
def test_a_key_that_cannot_work(bad: str) -> None:
    """A line end would split the header that the key goes into; the error says which key and does not show it."""
    with pytest.raises(ConfigurationError, match="the groq key") as caught:
        Secret(bad, name="the groq key")
    told = "".join(traceback.format_exception(caught.value))
    assert KEY not in str(caught.value)
    assert KEY not in told


def test_equality() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert hash(Secret(KEY)) == hash(Secret(KEY))
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
