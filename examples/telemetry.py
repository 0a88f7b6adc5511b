"""A span and metrics for each call, by OpenTelemetry. Needs OPENAI_API_KEY, and `pip install opentelemetry-sdk`."""

import asyncio
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from onellm import AsyncOneLLM


async def main() -> None:
    # A service exports to a collector; here the spans stay in memory.
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)

    async with AsyncOneLLM(telemetry=True) as client:  # Telemetry(content=True) would keep what is said, too
        with trace.get_tracer("service").start_as_current_span("POST /ask"):
            reply = await client.chat.completions.create(
                model="openai/gpt-5.4-mini", messages=[{"role": "user", "content": "Name a river"}]
            )
            opened = await client.chat.completions.create(
                model="openai/gpt-5.4-mini", messages=[{"role": "user", "content": "Name a sea"}], stream=True
            )
            async with opened as stream:  # its span ends with it
                async for _ in stream:
                    pass

    *calls, request = spans.get_finished_spans()
    print(request.name)
    for span in calls:
        said: dict[str, Any] = dict(span.attributes or {})
        tokens = (
            f"{said.get('gen_ai.usage.input_tokens', 0)} tokens in, {said.get('gen_ai.usage.output_tokens', 0)} out"
        )
        reasons = ", ".join(said["gen_ai.response.finish_reasons"])
        print(f"  {span.name}: {said['gen_ai.provider.name']}, {tokens}, {reasons}")
    print(reply.choices[0].message.content)


asyncio.run(main())
