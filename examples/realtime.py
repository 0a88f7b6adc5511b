"""A conversation over one connection: words in, speech and its words out, a function called on the way."""

import asyncio
import wave

from onellm import AsyncOneLLM, AudioDelta, ResponseDone, ToolResultSent, TranscriptDelta


def opening_hours(day: str) -> str:
    """When the museum is open, on a day of the week."""
    return "closed" if day == "Monday" else "10 to 18"


async def main() -> None:
    spoken = bytearray()
    async with (
        AsyncOneLLM() as client,
        client.realtime.connect(model="openai/gpt-realtime", voice="marin", tools=[opening_hours]) as session,
    ):
        await session.send_text("Is the museum open on Monday?")
        async for event in session:
            match event:
                case AudioDelta(pcm=pcm):
                    spoken += pcm
                case TranscriptDelta(role="assistant", text=text):
                    print(text, end="", flush=True)
                case ToolResultSent(call=call, output=output):
                    print(f"{call.name}({call.arguments}) -> {output}")
                case ResponseDone(usage=usage) if spoken:  # the first answer is the call of the function
                    print(f"\n{usage.total_tokens if usage else '?'} tokens")
                    break
                case _:
                    pass
        with wave.open("answer.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(session.output_rate)
            file.writeframes(spoken)
        seconds = len(spoken) / 2 / session.output_rate
        print(f"{seconds:.1f} seconds in answer.wav")


asyncio.run(main())
