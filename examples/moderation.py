"""Whether texts are harmful, and how. Needs OPENAI_API_KEY."""

from onellm import OneLLM

TEXTS = ["I love cats.", "I will find you and hurt you."]

with OneLLM() as client:
    reply = client.moderations.create(model="openai/omni-moderation-latest", input=TEXTS)
    for text, result in zip(TEXTS, reply.results, strict=True):
        worst = max(result.category_scores, key=lambda category: result.category_scores[category])
        print(f"{'flagged' if result.flagged else 'fine'}, {worst} {result.category_scores[worst]:.3f}: {text}")
