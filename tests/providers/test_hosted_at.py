"""An operation that a provider keeps outside its base URL."""

from loopback import Answer, Loopback

from onellm import AsyncOneLLM
from onellm.dialects.openai.audio import OpenAITranscriptions
from onellm.providers.http import HttpProvider


async def test_own_host_of_an_operation() -> None:
    """The operation's own address is used, unless the user gave a base URL: then everything is there."""
    async with Loopback() as main, Loopback() as audio:
        main.plays(Answer(chunks=[{"text": "main"}]))
        audio.plays(Answer(chunks=[{"text": "audio"}]))
        row = HttpProvider(
            name="host",
            base_url=f"{main.url}/v1",
            transcriptions=OpenAITranscriptions(hosted_at=f"{audio.url}/v2/audio/transcriptions"),
        )
        for own, text, server in (({}, "audio", audio), ({"base_url": f"{main.url}/own"}, "main", main)):
            async with AsyncOneLLM(providers={"host": {"api_key": "k", **own}}) as client:
                client.register(row)
                reply = await client.audio.transcriptions.create(file=b"RIFF", model="host/m")
            assert reply.text == text
            assert server.requests[0].headers["authorization"] == "Bearer k"
    assert [request.path for request in (*main.requests, *audio.requests)] == [
        "/own/audio/transcriptions",
        "/v2/audio/transcriptions",
    ]
