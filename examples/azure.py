"""Azure OpenAI: a stream of a deployment, and what the content filters said of it.

AZURE_OPENAI_ENDPOINT=https://my-resource.openai.azure.com AZURE_DEPLOYMENT=my-deployment python examples/azure.py

The key comes from AZURE_OPENAI_API_KEY. Without one, whatever `az login` or the machine has is asked for tokens; that
needs `pip install "onellm[azure]"`.
"""

import asyncio
import os

from onellm import AsyncOneLLM
from onellm.errors import ContentFilterError

MODEL = f"azure/{os.environ.get('AZURE_DEPLOYMENT', 'my-deployment')}"
ENTRA = {"options": {"entra": not os.environ.get("AZURE_OPENAI_API_KEY")}}


async def main() -> None:
    async with AsyncOneLLM(providers={"azure": ENTRA}) as client:
        try:
            async with await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Name three rivers"}], stream=True
            ) as stream:
                async for chunk in stream:
                    print(chunk.choices[0].delta.content or "", end="", flush=True)
                reply = await stream.get_final_completion()
        except ContentFilterError as refused:
            print("refused for", refused.content_filter_results)
            return
        print()
        for prompt in reply.prompt_filter_results or []:
            print("the question:", prompt.content_filter_results)
        print("the answer:", reply.choices[0].content_filter_results)


asyncio.run(main())
