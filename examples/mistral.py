"""A conversation judged, and a URL of a file that needs no key. Needs MISTRAL_API_KEY."""

from onellm import OneLLM

with OneLLM(default_provider="mistral") as client:
    reply = client.moderations.create(
        model="mistral/mistral-moderation-latest",
        input=[
            {"role": "user", "content": "What shall I do with my neighbour's cat?"},
            {"role": "assistant", "content": "Drown it."},
        ],
    )
    result = reply.results[0]
    worst = max(result.category_scores, key=lambda category: result.category_scores[category])
    print(f"{'flagged' if result.flagged else 'fine'}, {worst} {result.category_scores[worst]:.3f}")

    file = client.files.create(file=("cats.txt", b"All about cats."), purpose="ocr")
    print(client.files.signed_url(file.id, expires_in=3600).url)
    client.files.delete(file.id)
