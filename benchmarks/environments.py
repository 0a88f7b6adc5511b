"""An environment for each client that is compared, made once: what one of them needs must not change another.

They stand below a folder whose name git and `make clean` know, one each version of Python. What a peer needs is pinned
here; what it brings along is recorded with the results.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv-benchmarks" / f"{sys.implementation.name}-{sysconfig.get_python_version()}"
SECONDS = 600  # for one installation

# The smallest installation with which each can make the calls that are compared.
PEERS: dict[str, str] = {
    "openai": "openai==3.54.0",
    "anthropic": "anthropic==2.12.0",
    "langchain-openai": "langchain-openai==1.7.3",
    "pydantic-ai-slim": "pydantic-ai-slim[openai]==2.68.0",
    "any-llm-sdk": "any-llm-sdk[openai]==1.40.2",
    "litellm": "litellm==1.106.2",
    "httpx-sse": "httpx-sse==0.4.3 httpx==0.28.1",
}
_SIZE = """
import importlib.metadata, json, re
found = {each.metadata["Name"]: each for each in importlib.metadata.distributions()}
size = sum(file.locate().stat().st_size for each in found.values() for file in each.files or ()
           if file.suffix != ".pyc" and file.locate().is_file())
own = next((each for name, each in found.items() if re.sub("[-_.]+", "-", name).lower() == %r), None)
needs = [line for line in (own.requires or () if own else ()) if "extra ==" not in line]
print(json.dumps([size, {name: each.version for name, each in found.items()}, needs]))
"""


class Installed(Struct, kw_only=True):
    """An environment.

    size:      of all files in it but Python's own and what it compiles, in bytes
    versions:  of each distribution
    direct:    what the client itself asks for
    """

    python: Path
    size: int
    versions: dict[str, str]
    direct: list[str]


class NotInstalledError(Exception):
    """A package cannot be had here; says why in a line."""


def dependencies() -> list[str]:
    """What OneLLM itself asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [str(line) for line in project["dependencies"]]


def installed(name: str) -> Installed:
    """The environment of a peer, or of OneLLM and the minimal client, which need the same; made where there is none.

    Raises:
        NotInstalledError: pip cannot install it.
    """
    wanted = dependencies() if name == "onellm" else PEERS[name].split()
    folder = FOLDER / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    note = folder / "installed.txt"  # written last, so that half an environment is none
    if not note.exists() or note.read_text("utf-8").splitlines() != wanted:
        print(f"installing {', '.join(wanted)}", file=sys.stderr, flush=True)
        venv.create(folder, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", *wanted]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - ourselves
        except subprocess.TimeoutExpired:
            raise NotInstalledError(f"not installed within {SECONDS} s") from None
        if done.returncode:
            reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise NotInstalledError(reasons[-1] if reasons else "pip failed")
        remove = [str(python), "-m", "pip", "--disable-pip-version-check", "uninstall", "-qy", "setuptools", "pip"]
        subprocess.run(remove, check=True, capture_output=True)  # noqa: S603 - ourselves
        note.write_text("".join(f"{line}\n" for line in wanted), "utf-8")
    size, versions, direct = json.loads(run(python, "-c", _SIZE % name))
    if name == "onellm":  # the tree itself is on the path of its worker, and not installed
        own = [file for file in (ROOT / "onellm").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
        size += sum(file.stat().st_size for file in own)
        direct = wanted
    return Installed(python=python, size=size, versions=versions, direct=direct)


def run(python: Path, *arguments: str) -> str:
    """What a Python of its own prints."""
    command = [str(python), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=clean())  # noqa: S603 - ourselves
    return done.stdout


def clean() -> dict[str, str]:
    """The variables of whoever runs this, without those that would change what is measured."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith(("_proxy", "_api_key"))}
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    # Nothing of this asks the network while it is timed.
    kept.update(LITELLM_LOCAL_MODEL_COST_MAP="True", ANONYMIZED_TELEMETRY="False", LANGSMITH_TRACING="false")
    return kept
