"""`client.models` over a real socket."""

from loopback import Answer, Loopback

from onellm import AsyncOneLLM

LIST = {"object": "list", "data": [{"id": name, "object": "model", "created": 1} for name in ("a", "b")]}


async def test_models_are_one_page() -> None:
    """Awaited it is a sequence with `data`; iterated over it gives the models; each asks once."""
    async with Loopback() as server, AsyncOneLLM(api_key="k", base_url=f"{server.url}/v1") as client:
        server.plays(Answer(chunks=[LIST], headers={"x-request-id": "req_1"}))
        page = await client.models.list()
        assert [model.id for model in page] == [model.id for model in page.data] == ["a", "b"]
        assert (page[0].id, len(page), page.has_more, page.request_id) == ("a", 2, False, "req_1")
        assert [model.id async for model in page] == ["a", "b"]
        assert len(server.requests) == 1
        assert [model.id async for model in client.models.list("openai")] == ["a", "b"]
        assert [request.target for request in server.requests] == ["/v1/models"] * 2
        server.plays(Answer(chunks=[{"data": []}]))
        assert (await client.models.list()).data == []
