"""An image from words, changed by more words, saved. Needs OPENAI_API_KEY, or another provider's key and model."""

from pathlib import Path

from onellm import OneLLM

MODEL = "openai/gpt-image-2"

with OneLLM(timeout=300) as client:
    drawn = client.images.generate(model=MODEL, prompt="A cat on a windowsill, as a woodcut", size="1024x1024")
    drawn.data[0].save("cat.png")
    print(f"cat.png: {Path('cat.png').stat().st_size} bytes")

    edited = client.images.edit(model=MODEL, image=Path("cat.png"), prompt="Let it snow outside")
    edited.data[0].save("snow.png")
    print(f"snow.png: {Path('snow.png').stat().st_size} bytes")
