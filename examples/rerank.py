"""Documents by how well they answer a question. Needs FIREWORKS_API_KEY, or another provider's key and model."""

from onellm import OneLLM

DOCUMENTS = [
    "Cats like to sleep.",
    "Paris is the capital of France.",
    "France is known for its cheese.",
]

with OneLLM() as client:
    reply = client.rerank.create(
        model="fireworks/accounts/fireworks/models/qwen3-reranker-8b",
        query="Which city is the capital of France?",
        documents=DOCUMENTS,
        top_n=2,
    )
    for result in reply.results:  # best first
        print(f"{result.relevance_score:.3f}  {DOCUMENTS[result.index]}")
