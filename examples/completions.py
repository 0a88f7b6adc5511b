"""A text continued, streamed, and filled in where something is missing. Needs OPENAI_API_KEY.

Made for code: `mistral/codestral-latest` and `deepseek/deepseek-chat` take the same `suffix`.
"""

from onellm import OneLLM

MODEL = "openai/gpt-3.5-turbo-instruct"

with OneLLM() as client:
    reply = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=16)
    print(f"Once upon a time{reply.choices[0].text}")

    with client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=16, stream=True) as stream:
        for text in stream.text():
            print(text, end="", flush=True)
    print()

    before, after = "def mean(numbers):\n    return ", " / len(numbers)\n"
    filled = client.completions.create(model=MODEL, prompt=before, suffix=after, max_tokens=16, temperature=0)
    print(f"{before}{filled.choices[0].text}{after}")
