"""`data:` URLs, as callers write them; and that all dialects read the same of them."""

from base64 import b64encode
from typing import Any

import pytest

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.bedrock.converse import Converse
from onellm.dialects.cohere.chat import CohereChat
from onellm.dialects.data_url import Content, is_data_url, parse
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.protocols import ChatDialect
from onellm.errors import InvalidRequestError
from onellm.types.chat_params import ChatRequest

PNG = b64encode(b"\x89PNG").decode()
TEXT = b64encode("Grüße, 你好".encode()).decode()


@pytest.mark.parametrize(
    ("url", "content"),
    [
        (f"data:image/png;base64,{PNG}", Content("image/png", "", PNG)),
        (f"DATA:Image/PNG;BASE64,{PNG}", Content("image/png", "", PNG)),
        (f"data:image/png;base64, {PNG}\n", Content("image/png", "", PNG)),
        (f"data:text/plain;charset=utf-8;base64,{TEXT}", Content("text/plain", ";charset=utf-8", TEXT)),
        ("data:audio/pcm;rate=24000;base64,AAA=", Content("audio/pcm", ";rate=24000", "AAA=")),
        ("data:text/plain,Gr%C3%BC%C3%9Fe%2C%20%E4%BD%A0%E5%A5%BD", Content("text/plain", "", TEXT)),
        ("data:,a", Content("", "", "YQ==")),
        ("data:image/png;base64", None),
        ("https://example.com/a.png", None),
        ("", None),
    ],
)
def test_what_it_holds(url: str, content: Content | None) -> None:
    assert parse(url) == content
    assert is_data_url(url) == url.lower().startswith("data:")


def sent(dialect: ChatDialect, part: dict[str, Any]) -> str:
    request = ChatRequest(
        provider="p", model="m", messages=[{"role": "user", "content": [part]}], params={}, adjustments=[]
    )
    return (dialect.encode_request(request).body or b"").decode()


SEEING = [AnthropicMessages(), GeminiChat(), Converse()]
IMAGES = [f"data:image/png;base64,{PNG}", f"Data:IMAGE/png;Base64,{PNG}", "data:image/png,%89PNG"]
TEXTS = [f"data:text/plain;charset=utf-8;base64,{TEXT}", "data:text/plain,Gr%C3%BC%C3%9Fe%2C%20你好"]


@pytest.mark.parametrize("dialect", SEEING, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("url", IMAGES)
def test_dialects_read_the_same_image(dialect: ChatDialect, url: str) -> None:
    """However it is written."""
    body = sent(dialect, {"type": "image_url", "image_url": {"url": url}})
    usual = sent(dialect, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
    assert body == usual
    assert PNG in body


@pytest.mark.parametrize("url", TEXTS)
@pytest.mark.parametrize("dialect", [AnthropicMessages(), CohereChat()], ids=lambda each: type(each).__name__)
def test_dialects_read_the_same_text(dialect: ChatDialect, url: str) -> None:
    part = {"type": "file", "file": {"file_data": url, "filename": "a.txt"}}
    assert "Grüße, 你好" in sent(dialect, part)


def test_one_without_a_type_is_said_to_be_so() -> None:
    with pytest.raises(InvalidRequestError, match="must be data:<type>;base64,<data>"):
        sent(AnthropicMessages(), {"type": "image_url", "image_url": {"url": f"data:;base64,{PNG}"}})
