"""Amazon's signature, the credentials for it, and the addresses in a region."""

import asyncio
import calendar
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, soon
from wire import bedrock

from onellm import AsyncOneLLM, RetryPolicy
from onellm.errors import ConfigurationError, MissingDependencyError, MissingKeyError
from onellm.providers.auth import Outgoing
from onellm.providers.aws import CredentialChain, credentials, profile_region, sign
from onellm.providers.base import ProviderSettings
from onellm.providers.bedrock import PROVIDER
from onellm.providers.bedrock_mantle import PROVIDER as MANTLE

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
BODY = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
ASK: dict[str, Any] = {"model": "bedrock/m", "messages": [{"role": "user", "content": "hi"}]}
KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any setting of AWS's, and no instance to ask."""
    import os  # noqa: PLC0415 - only here

    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def client(server: Loopback, options: Any = None, **settings: Any) -> AsyncOneLLM:
    own = {"base_url": server.url, "options": {"region": "eu-west-1", **(options or {})}, **settings}
    return AsyncOneLLM(providers={"bedrock": own}, max_retries=0)


def answering(choose: Callable[[Recorded], Answer | None]) -> Callable[[Recorded], Answer]:
    return lambda request: choose(request) or Answer(chunks=[bedrock.ANSWER])


def signer_of(request: Recorded) -> str:
    """Whose key signed."""
    return request.headers["authorization"].partition("Credential=")[2].partition("/")[0]


# --- the signature ---


# Made by botocore 1.44.5's SigV4Auth.
GOLDEN = {
    "keys, an inference profile": (
        "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
        None,
        "content-type;host;x-amz-date",
        "8f06bf0644b8bea0312ae3fa62ff46ef2dd5a5eee4a9583ec1ff8f7c46322707",
    ),
    "a session, an ARN": (
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123/converse-stream",
        "SESSIONTOKEN",
        "content-type;host;x-amz-date;x-amz-security-token",
        "90fe66f7d14310b36d8d52400b9a4922acceb7d04a4ab297971ab458342d57b8",
    ),
}


@pytest.mark.parametrize(("path", "token", "signed", "signature"), GOLDEN.values(), ids=GOLDEN)
def test_golden_signatures(path: str, token: str | None, signed: str, signature: str) -> None:
    now = calendar.timegm((2026, 11, 1, 12, 0, 0))
    outgoing = Outgoing("POST", f"https://bedrock-runtime.us-east-1.amazonaws.com/model/{path}", BODY, now)
    given = sign(outgoing, credentials("AKIDEXAMPLE", SECRET, token, "x"), region="us-east-1", service="bedrock")
    assert given.get("X-Amz-Security-Token") == token
    assert given["X-Amz-Date"] == "20261101T120000Z"
    assert given["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261101/us-east-1/bedrock/aws4_request, "
        f"SignedHeaders={signed}, Signature={signature}"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://bedrock.us-east-1.amazonaws.com/foundation-models?byProvider=Amazon&a=%2F%20&b=&a=~x",
        "https://bedrock.us-east-1.amazonaws.com:443/foundation-models",
        "https://bedrock.us-east-1.amazonaws.com:8443",
        "http://[::1]:8080/a//b",
    ],
)
def test_queries_ports_and_empty_paths_are_signed_as_botocore_does(url: str) -> None:
    auth = pytest.importorskip("botocore.auth")
    request = pytest.importorskip("botocore.awsrequest").AWSRequest(
        method="GET", url=url, headers={"X-Amz-Date": "20261101T120000Z"}
    )
    request.context["timestamp"] = "20261101T120000Z"
    keys = pytest.importorskip("botocore.credentials").Credentials("AKIDEXAMPLE", SECRET)
    theirs = auth.SigV4Auth(keys, "bedrock", "us-east-1")
    # botocore tidies the path of what it sends itself; ours is signed as it goes out.
    theirs._normalize_url_path = lambda path: path or "/"
    signature = theirs.signature(theirs.string_to_sign(request, theirs.canonical_request(request)), request)
    outgoing = Outgoing("GET", url, None, calendar.timegm((2026, 11, 1, 12, 0, 0)))
    given = sign(outgoing, credentials("AKIDEXAMPLE", SECRET, None, "x"), region="us-east-1", service="bedrock")
    assert given["Authorization"].endswith(signature)


async def test_each_try_is_signed_anew(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is of its second; one that waited would be refused."""
    seconds = iter(range(1_800_000_000, 1_800_000_100))
    monkeypatch.setattr("onellm.providers.sending.time.time", lambda: next(seconds))
    loopback.plays(Answer(status=503, chunks=[b"{}"]), Answer(chunks=[bedrock.ANSWER]))
    own = {"base_url": loopback.url, "options": {"region": "eu-west-1", **KEYS}}
    quick = RetryPolicy(max_retries=1, initial=0.001, maximum=0.001, jitter=0.0)
    async with AsyncOneLLM(providers={"bedrock": own}, retry=quick) as one:
        await one.chat.completions.create(**ASK)
    first, second = (request.headers for request in loopback.requests)
    assert first["x-amz-date"] < second["x-amz-date"]
    assert first["authorization"] != second["authorization"]


# --- which credentials ---


async def test_a_key_goes_before_the_chain(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for AWS's own clients."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    loopback.plays(Answer(chunks=[bedrock.ANSWER]))
    async with client(loopback) as one:
        await one.chat.completions.create(**ASK)
    async with client(loopback, KEYS) as one:  # but not before what the code itself says
        await one.chat.completions.create(**ASK)
    keyed, signed = loopback.requests
    assert keyed.headers["authorization"] == "Bearer bedrock-api-key-1"
    assert "x-amz-date" not in keyed.headers
    assert signer_of(signed) == "AKIDEXAMPLE"


async def test_a_key_may_come_from_a_function(loopback: Loopback) -> None:
    loopback.plays(Answer(chunks=[bedrock.ANSWER]))
    async with client(loopback, api_key=lambda: "short-lived") as one:
        await one.chat.completions.create(**ASK)
    assert loopback.requests[0].headers["authorization"] == "Bearer short-lived"


async def test_the_environment(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token of its session, in the region of the option."""
    pytest.importorskip("botocore")
    for name, value in {"ACCESS_KEY_ID": "AKIDENV", "SECRET_ACCESS_KEY": SECRET, "SESSION_TOKEN": "t/1=="}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    loopback.plays(Answer(chunks=[bedrock.ANSWER]))
    async with client(loopback) as one:
        await one.chat.completions.create(**ASK)
    headers = loopback.requests[0].headers
    assert (signer_of(loopback.requests[0]), headers["x-amz-security-token"]) == ("AKIDENV", "t/1==")
    assert "/eu-west-1/bedrock/aws4_request" in headers["authorization"]


async def test_a_profile_goes_before_the_environment(
    loopback: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gives the region, where nothing else does."""
    pytest.importorskip("botocore")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    (folder / "credentials").write_text(f"[work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = {SECRET}\n")
    (folder / "config").write_text("[profile work]\nregion = ap-southeast-2\n[default]\nregion = us-west-1\n")
    loopback.plays(Answer(chunks=[bedrock.ANSWER]))
    async with client(loopback, {"profile": "work", "region": None}) as one:
        await one.chat.completions.create(**ASK)
    request = loopback.requests[0]
    assert signer_of(request) == "AKIDWORK"
    assert "/ap-southeast-2/bedrock/aws4_request" in request.headers["authorization"]
    assert profile_region(None) == "us-west-1"


async def test_a_role_is_assumed(loopback: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a profile that names another one as its source; the session token is sent."""
    pytest.importorskip("botocore")
    (folder / "config").write_text(
        f"[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = {SECRET}\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nregion = eu-west-1\n"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", loopback.url)
    monkeypatch.setenv("AWS_PROFILE", "role")
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    assumed = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
        f"<SessionToken>role-token</SessionToken><Expiration>{ends}</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>"
    )

    def play(request: Recorded) -> Answer | None:
        return Answer(chunks=[assumed], content_type="text/xml") if b"AssumeRole" in request.body else None

    loopback.chooses(answering(play))
    async with client(loopback) as one:
        await soon(one.chat.completions.create(**ASK))
    asked, chat = loopback.requests
    assert signer_of(asked) == "AKIDBASE"
    assert (signer_of(chat), chat.headers["x-amz-security-token"]) == ("ASIAROLE", "role-token")


def container(lives: float, numbers: list[int]) -> Callable[[Recorded], Answer | None]:
    """The endpoint that a container asks; each answer has other keys."""

    def play(request: Recorded) -> Answer | None:
        if request.path != "/credentials":
            return None
        numbers.append(len(numbers))
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lives))
        keys = {"AccessKeyId": f"ASIA{len(numbers)}", "SecretAccessKey": SECRET, "Token": "t", "Expiration": ends}
        return Answer(chunks=[keys], keep_alive=False)

    return play


async def test_a_hundred_requests_ask_once(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the event loop goes on meanwhile: the endpoint that is asked runs in it."""
    pytest.importorskip("botocore")
    asked: list[int] = []
    loopback.chooses(answering(container(3600, asked)))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{loopback.url}/credentials")
    async with client(loopback) as one:
        await soon(asyncio.gather(*(one.chat.completions.create(**ASK) for _ in range(100))))
        await one.chat.completions.create(**ASK)
    assert asked == [0]
    chats = [request for request in loopback.requests if request.path != "/credentials"]
    assert {signer_of(request) for request in chats} == {"ASIA1"}
    assert len(chats) == 101


async def test_keys_are_renewed_before_their_end(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that end in a minute are asked for again at the next request."""
    pytest.importorskip("botocore")
    asked: list[int] = []
    loopback.chooses(answering(container(60, asked)))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{loopback.url}/credentials")
    async with client(loopback) as one:
        await soon(one.chat.completions.create(**ASK))
        before = len(asked)
        await soon(one.chat.completions.create(**ASK))
    assert len(asked) > before
    chats = [request for request in loopback.requests if request.path != "/credentials"]
    assert signer_of(chats[0]) != signer_of(chats[1])


async def test_one_who_gives_up_does_not_stop_the_others(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("botocore")
    asked: list[int] = []
    loopback.chooses(answering(container(3600, asked)))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{loopback.url}/credentials")
    chain = CredentialChain(None, provider="bedrock")
    first, second = (asyncio.ensure_future(chain.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    found = await soon(second)
    assert first.cancelled()
    assert (found.access_key_id, asked) == ("ASIA1", [0])


async def test_nothing_found_says_what_to_do(loopback: Loopback) -> None:
    pytest.importorskip("botocore")
    async with client(loopback) as one:
        with pytest.raises(MissingKeyError, match="AWS_BEARER_TOKEN_BEDROCK"):
            await soon(one.chat.completions.create(**ASK))
    async with client(loopback, {"profile": "nobody"}) as one:
        with pytest.raises(ConfigurationError, match="nobody"):
            await soon(one.chat.completions.create(**ASK))
    assert loopback.requests == []


async def test_without_the_extra(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and given credentials need none; the chain says which one."""
    for module in ("botocore", "botocore.session", "botocore.exceptions"):
        monkeypatch.setitem(sys.modules, module, None)
    loopback.plays(Answer(chunks=[bedrock.ANSWER]))
    async with client(loopback, api_key="k") as one:
        await one.chat.completions.create(**ASK)
    async with client(loopback, KEYS) as one:
        await one.chat.completions.create(**ASK)
    async with client(loopback) as one:
        with pytest.raises(MissingDependencyError, match=r"onellm\[bedrock\]"):
            await one.chat.completions.create(**ASK)
    assert len(loopback.requests) == 2


def settings(base_url: str | None = None, **options: Any) -> ProviderSettings:
    return ProviderSettings(base_url=base_url or PROVIDER.base_url or "", options=options)


def test_secrets_are_not_shown() -> None:
    settled = PROVIDER.settle(settings(region="us-east-1", session_token="tok-1", **KEYS))
    shown = f"{settled!r} {settled.options!r} {settled.state!r}"
    assert SECRET not in shown
    assert "tok-1" not in shown
    assert SECRET not in repr(credentials("AKID", SECRET, "tok-1", "x"))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "half a key": ({"access_key_id": "a"}, "access_key_id and secret_access_key"),
    "a token alone": ({"session_token": "t"}, "session_token belongs to"),
    "a key with a line end": ({"access_key_id": "a\n", "secret_access_key": "b"}, "access key id"),
    "a key that is no text": ({"access_key_id": "a", "secret_access_key": 5}, "not int"),
    "an unknown option": ({"regoin": "us-east-1"}, "no option 'regoin'"),
    "a region that is another host": ({"region": "evil.com/x#"}, "no region"),
    "a region that is no text": ({"region": 5}, "no region"),
    "a family that does not exist": ({"families": {"m": "x"}}, "families"),
}


@pytest.mark.parametrize(("options", "says"), WRONG.values(), ids=WRONG)
def test_wrong_options(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        PROVIDER.settle(settings(**{"region": "us-east-1", **options}))


# --- where ---


def test_the_region_has_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature needs one, too, wherever the request goes."""
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        PROVIDER.settle(settings())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ca-central-1")
    assert PROVIDER.settle(settings()).base_url == "https://bedrock-runtime.ca-central-1.amazonaws.com"
    assert PROVIDER.settle(settings(region="eu-west-3")).base_url == "https://bedrock-runtime.eu-west-3.amazonaws.com"


async def test_a_signature_without_a_region(loopback: Loopback) -> None:
    async with client(loopback, {"region": None, **KEYS}) as one:
        with pytest.raises(ConfigurationError, match="region"):
            await one.chat.completions.create(**ASK)
    assert loopback.requests == []


async def test_the_region_of_the_environment(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION before AWS_DEFAULT_REGION; and the address of the environment."""
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ca-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", loopback.url)
    loopback.plays(Answer(chunks=[bedrock.ANSWER]))
    async with AsyncOneLLM(providers={"bedrock": {"options": KEYS}}) as one:
        await one.chat.completions.create(**ASK)
    assert "/sa-east-1/" in loopback.requests[0].headers["authorization"]


ADDRESSES = {
    "us-east-1": ({}, "bedrock-runtime.us-east-1.amazonaws.com", "bedrock.us-east-1.amazonaws.com"),
    "fips": ({"fips": True}, "bedrock-runtime-fips.us-east-1.amazonaws.com", "bedrock-fips.us-east-1.amazonaws.com"),
    "china": (
        {"region": "cn-north-1"},
        "bedrock-runtime.cn-north-1.amazonaws.com.cn",
        "bedrock.cn-north-1.amazonaws.com.cn",
    ),
}


@pytest.mark.parametrize(("options", "runtime", "control"), ADDRESSES.values(), ids=ADDRESSES)
def test_hosts_of_a_region(options: dict[str, Any], runtime: str, control: str) -> None:
    """Models are listed by another host than calls go to, unless the user said where everything is."""
    settled = PROVIDER.settle(settings(**{"region": "us-east-1", **options}))
    assert settled.base_url == f"https://{runtime}"
    assert PROVIDER.models is not None
    listing = PROVIDER.models.encode_list()
    assert PROVIDER.address(listing, settled) == f"https://{control}/foundation-models"
    single = PROVIDER.models.encode_retrieve("a:b")
    assert PROVIDER.address(single, settled) == f"https://{control}/foundation-models/a%3Ab"
    own = PROVIDER.settle(settings("https://vpce.example.com", **{"region": "us-east-1", **options}))
    assert PROVIDER.address(listing, own) == "https://vpce.example.com/foundation-models"


def test_the_other_front() -> None:
    settled = MANTLE.settle(settings(MANTLE.base_url, region="us-east-2"))
    assert settled.base_url == "https://bedrock-mantle.us-east-2.api.aws/v1"


def test_a_profile_that_cannot_be_read(folder: Path) -> None:
    """Says nothing of a region; botocore says what is wrong with it, where it is needed."""
    assert profile_region(None) is None
    (folder / "config").write_text("no section\n")
    assert profile_region(None) is None
    (folder / "config").write_bytes(b"\xff\xfe")
    assert profile_region(None) is None


def test_a_key_costs_no_botocore() -> None:
    """Settling and signing by a key, or by given credentials, import nothing of the extra."""
    code = (
        "import sys; from onellm.providers.bedrock import PROVIDER; "
        "from onellm.providers.base import ProviderSettings; "
        "PROVIDER.settle(ProviderSettings(base_url=PROVIDER.base_url, options={'region': 'us-east-1'})); "
        "print([name for name in sys.modules if name.startswith(('boto', 'aiohttp', 'onellm.providers.compatible'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
