"""What happens in a client, told as it happens. Needs OPENAI_API_KEY."""

import asyncio

from onellm import AsyncOneLLM, ErrorEvent, OneLLMError, RequestEvent, ResponseEvent, RetryEvent


def asked(event: RequestEvent) -> None:
    print(f"{event.operation}: request {event.attempt}, to {event.provider}/{event.model}")


async def answered(event: ResponseEvent) -> None:  # sync or async
    print(f"answered by {event.provider} after {event.attempt} requests")


def again(event: RetryEvent) -> None:
    print(f"{event.error.status_code}: {event.next} in {event.wait:.2f} s")


def failed(event: ErrorEvent) -> None:
    print(f"failed with {type(event.error).__name__}")


async def main() -> None:
    hooks = AsyncOneLLM(on_request=asked, on_response=answered, on_retry=again, on_error=failed)
    async with hooks as client:
        for question, retries in (("Is the line busy?", 2), ("And now?", 0)):
            try:
                await client.chat.completions.create(
                    model="openai/gpt-5.4-mini",
                    messages=[{"role": "user", "content": question}],
                    max_retries=retries,
                )
            except OneLLMError as exc:
                print("the caller has the same:", exc.status_code)


asyncio.run(main())
