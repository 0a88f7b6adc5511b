"""A conversation by voice, with a tool; speak over the model and it stops. `onellm talk` does the like.

OPENAI_API_KEY=… python examples/realtime_voice.py                            needs pip install "onellm[voice]"
OPENAI_API_KEY=… python examples/realtime_voice.py question.wav answer.wav    needs neither microphone nor loudspeaker
"""

import asyncio
import sys

import onellm

MODEL = "openai/gpt-realtime"


async def weather(city: str) -> str:
    """The weather of a city."""
    return f"{'sunny, 24' if city == 'Rome' else 'rain, 8'} degrees in {city}"


def show(event: onellm.RealtimeEvent) -> None:
    match event:
        case onellm.TranscriptDone(role=role, text=text) if text:
            print(f"{role}: {text}")
        case onellm.ToolResultSent(call=call, output=output):
            print(f"{call.name}({call.arguments}): {output}")
        case _:
            pass


async def converse(client: onellm.AsyncOneLLM) -> None:
    """Until Ctrl-C. The microphone is heard while events come; the provider notices where a turn ends."""
    microphone, speaker = onellm.Microphone(), onellm.Speaker()
    async with client.realtime.connect(
        model=MODEL, tools=[weather], input_rate=microphone.rate, output_rate=speaker.rate
    ) as session:

        async def listen() -> None:
            async for pcm in microphone:
                if not session.closed:  # else the events end, too
                    await session.send_audio(pcm)

        async with microphone, speaker, asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen())
            async for event in session:
                show(event)
                if heard := speaker.playback.feed(event):  # the user spoke: what was not heard was not said
                    await session.interrupt(heard=heard)
            listening.cancel()


async def answer(client: onellm.AsyncOneLLM, question: str, target: str) -> None:
    """One turn from a file, its answer to another. Where the turn ends is said, not noticed."""
    with onellm.WavReader(question) as recording:
        async with client.realtime.connect(
            model=MODEL, tools=[weather], turn_detection="none", input_rate=recording.rate
        ) as session:
            for pcm in recording.pieces():
                await session.send_audio(pcm)
            await session.commit()
            with onellm.WavWriter(target, session.output_rate) as spoken:
                calls = False
                async for event in session:
                    show(event)
                    match event:
                        case onellm.AudioDelta(pcm=pcm):
                            spoken.write(pcm)
                        case onellm.ToolCallReady():  # `weather` is called, and the answer comes after it
                            calls = True
                        case onellm.ResponseDone() if not calls:
                            break
                        case onellm.ResponseDone():
                            calls = False
                        case _:
                            pass
            print(f"{target}: {spoken.seconds:.1f} s")


async def main(files: list[str]) -> None:
    async with onellm.AsyncOneLLM() as client:
        await (answer(client, *files) if files else converse(client))


asyncio.run(main(sys.argv[1:]))
