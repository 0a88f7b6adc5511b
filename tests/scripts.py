"""What clients do in processes of their own: the URL is the first argument, a file of authorities the second."""

# What the scripts begin with. asyncio's debug mode logs slow callbacks; a busy machine has some.
PRELUDE = """
import asyncio, gc, logging, os, ssl, sys, threading, warnings
from onellm import AsyncOneLLM, HttpOptions

logging.getLogger("asyncio").setLevel(logging.ERROR)
url, authority = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
http = HttpOptions(ssl=ssl.create_default_context(cafile=authority)) if authority else HttpOptions()
ask_for = dict(model="m", messages=[{"role": "user", "content": "Hello"}])

def make():
    return AsyncOneLLM(api_key="k", base_url=url, http=http)

async def ask(client):
    assert (await client.chat.completions.create(**ask_for)).choices[0].finish_reason == "stop"

client = make()
"""

FOUR_RUNS = """
for number in range(4):
    asyncio.run(ask(client))
"""

LOOPS_CLOSED_AT_ONCE = """
for number in range(3):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(ask(client))
    loop.close()
"""

LOOP_CLOSED_UNDER_A_STREAM = """
async def begin():
    stream = await client.chat.completions.create(**ask_for, stream=True)
    await anext(stream)
    return stream

for number in range(2):
    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(begin())
    loop.close()
    if number:
        client = None
        gc.collect()
    stream.close_now()
    stream = None
    gc.collect()

client = make()
stream = asyncio.run(begin())  # and one that is still held at exit
"""

CLIENT_LOST_BETWEEN_RUNS = """
# The sockets' numbers are used again at once: a loop that had not forgotten them would never hear of the new ones.
loop = asyncio.new_event_loop()
for number in range(3):
    loop.run_until_complete(asyncio.wait_for(ask(client), 30))
    client = None
    gc.collect()
    client = make()
loop.run_until_complete(client.aclose())
loop.close()
"""

TWO_THREADS = """
barrier = threading.Barrier(2)

async def five():
    barrier.wait()
    for number in range(5):
        await asyncio.gather(ask(client), ask(client))

threads = [threading.Thread(target=asyncio.run, args=(five(),)) for number in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

FORK_BETWEEN_RUNS = """
with asyncio.Runner() as runner:
    runner.run(ask(client))
    child = os.fork()
    if not child:
        asyncio.run(ask(client))
        del client
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    runner.run(ask(client))
"""

FORK_UNDER_A_STREAM = """
async def main():
    global client
    await asyncio.gather(ask(client), ask(client))
    stream = await client.chat.completions.create(**ask_for, stream=True)
    await anext(stream)
    child = os.fork()
    if not child:
        asyncio.run(ask(client))
        stream.close_now()
        stream = client = None
        gc.collect()
        client = make()
        asyncio.run(ask(client))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    await ask(client)
    assert (await stream.get_final_completion()).choices[0].finish_reason == "stop"

asyncio.run(main())
"""

LOOP_IN_A_DAEMON_THREAD = """
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
asyncio.run_coroutine_threadsafe(ask(client), loop).result(30)
"""
