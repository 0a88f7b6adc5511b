"""Scripts and notebooks: the same calls without an event loop. Needs OPENAI_API_KEY, or another provider's key."""

from onellm import OneLLM

with OneLLM() as client:
    reply = client.chat.completions.create(
        model="openai/gpt-5.4-mini",
        messages=[{"role": "user", "content": "Name a colour"}],
    )
    print(reply.choices[0].message.content)

    with client.chat.completions.create(
        model="openai/gpt-5.4-mini",
        messages=[{"role": "user", "content": "Name three more"}],
        stream=True,
    ) as stream:
        for text in stream.text():
            print(text, end="", flush=True)
    print()
