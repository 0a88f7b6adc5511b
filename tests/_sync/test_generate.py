"""The generator: that its output is up to date and whole, what it makes of each form, and what it refuses."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import threading
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_overloads, get_type_hints

import pytest

from onellm import client as client_module
from onellm import resources
from onellm._sync.generate import __main__ as generate
from onellm._sync.generate.layout import header
from onellm._sync.generate.source import GenerationError
from onellm._sync.generate.twin import OMITTED, RENAMED

ROOT = Path(__file__).parents[2]


# What is committed


def test_the_committed_files_are_up_to_date() -> None:
    texts = generate.files()
    assert {name: (generate.PACKAGE / "_sync" / name).read_text(encoding="utf-8") for name in texts} == texts
    assert generate.main(["--check"]) == 0


def async_classes() -> list[type]:
    names = [module.name for module in pkgutil.walk_packages(resources.__path__, "onellm.resources.")]
    modules = [client_module, *map(importlib.import_module, names)]
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and re.match("Async[A-Z]", name) and value.__module__ == module.__name__
        if not hasattr(value, "__await__")  # a blocking call gives what awaiting it would
    ]


def twin_of(cls: type) -> type:
    module = importlib.import_module(f"onellm._sync.{cls.__module__.rpartition('.')[2]}")
    twin: type = getattr(module, cls.__name__.removeprefix("Async"))
    return twin


_SPECIAL = {*RENAMED, *RENAMED.values(), "__repr__"}


def public(cls: type) -> dict[str, Any]:
    """The methods and properties that a twin must have, by their names there."""
    given = {name: value for base in reversed(cls.__mro__[:-1]) for name, value in vars(base).items()}
    wanted = {
        RENAMED.get(name, name): value for name, value in given.items() if not name.startswith("_") or name in _SPECIAL
    }
    return {name: value for name, value in wanted.items() if callable(value) or isinstance(value, property)}


def attributes(cls: type) -> set[str]:
    """The public attributes that the constructor sets to what is no namespace: a twin has properties for them."""
    return set(re.findall(r"\bself\.([a-z]\w*): ", inspect.getsource(cls.__init__)))  # type: ignore[misc]


def filled(cls: type) -> dict[Any, Any]:
    """What its bases' type variables are in a class."""
    found: dict[Any, Any] = {}
    for base in getattr(cls, "__orig_bases__", ()):
        if (origin := get_origin(base)) is not Generic:
            found |= dict(zip(origin.__parameters__, get_args(base), strict=True))
    return found


def plain(text: str) -> str:
    """What an async text is in blocking words; written anew here, so that both must be right."""
    text = re.sub(r" \| AsyncIterable\[\w+\]", "", text)  # what may be given instead of an iterable
    text = text.replace("onellm.resources.", "onellm._sync.").replace("onellm.client.", "onellm._sync.client.")
    return re.sub(r"\bAsync(?=[A-Z])", "", text)


def shape(function: Any, variables: dict[Any, Any] | None = None) -> list[tuple[str, str, str, str]]:
    def text(annotation: Any) -> str:
        known = variables or {}
        kind = get_origin(annotation) or annotation
        if isinstance(kind, type) and (awaited := getattr(kind, "__await__", None)) is not None:
            known = dict(zip(getattr(kind, "__parameters__", ()), get_args(annotation), strict=True))
            annotation = get_args(get_type_hints(awaited)["return"])[2]
        if isinstance(annotation, TypeVar):
            annotation = known.get(annotation, annotation)
        elif free := getattr(annotation, "__parameters__", ()):
            annotation = annotation[tuple(known.get(one, one) for one in free)]
        return plain(str(annotation))

    signature = inspect.signature(function)
    found = [(one.name, str(one.kind), str(one.default), text(one.annotation)) for one in signature.parameters.values()]
    return [*found, ("return", "", "", text(signature.return_annotation))]


CLASSES = async_classes()
METHODS = [(cls, name) for cls in CLASSES for name in public(cls)]


def test_there_are_classes_and_methods_to_compare() -> None:
    assert {cls.__name__ for cls in CLASSES} >= {
        "AsyncOneLLM", "AsyncAnswerStream", "AsyncChatCompletions", "AsyncChatCompletionStream", "AsyncSpeechResponse"
    }  # fmt: skip
    assert len(METHODS) >= 60


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_has_its_twin_with_the_same_methods(cls: type) -> None:
    assert public(twin_of(cls)).keys() == public(cls).keys() | attributes(cls)


@pytest.mark.parametrize(("cls", "name"), METHODS, ids=[f"{cls.__name__}.{name}" for cls, name in METHODS])
def test_signatures_and_docstrings_agree(cls: type, name: str) -> None:
    """Parameters, their order, kinds, defaults and types, the answer's type, and each overload."""
    ours, theirs = public(twin_of(cls))[name], public(cls)[name]
    if isinstance(theirs, property):
        assert isinstance(ours, property)
        ours, theirs = ours.fget, theirs.fget
    assert not inspect.iscoroutinefunction(ours)
    assert not inspect.isasyncgenfunction(ours)
    assert shape(ours) == shape(theirs, filled(cls))
    assert list(map(shape, get_overloads(ours))) == list(map(shape, get_overloads(theirs)))
    assert words(ours.__doc__) == words(theirs.__doc__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_class_docstrings_agree(cls: type) -> None:
    assert words(twin_of(cls).__doc__) == words(cls.__doc__)


def words(text: str | None) -> str:
    return re.sub(r"\bAsync(?=[A-Z])|\basync (?=with|for)|\bawait |\ba(?=close\b)", "", text or "")


def test_the_constructor_takes_what_the_async_one_takes() -> None:
    ours, theirs = (
        shape(found.__init__)  # type: ignore[misc]
        for found in (twin_of(client_module.AsyncOneLLM), client_module.AsyncOneLLM)
    )
    assert ours == [one for one in theirs if one[0] not in OMITTED]
    assert len(theirs) - len(ours) == len(OMITTED)


# What it makes of each form

SAMPLE = {
    "client.py": '''
        """What callers make."""

        from typing import Self

        from sample.resources.things import AsyncThings


        class AsyncClient:
            """Use it in `async with`, or await `aclose`; see `AsyncThings`."""

            def __init__(self, *, name: str = "it's", http_session: object = None) -> None:
                """Take settings.

                name:          its name
                http_session:  a session
                    of the caller
                """
                self._name = name
                self._session = http_session
                self.things = AsyncThings(name)
                self.entered: bool = False

            def named(self, name: str) -> "AsyncClient":
                return AsyncClient(name=name)

            def renamed(self, name: str) -> Self:
                return type(self)(name=name)

            async def copy(self) -> "AsyncClient | None":
                return AsyncClient(name=self._name) if self._name else None

            async def __aenter__(self) -> "AsyncClient":
                self.entered = True
                return self

            def __repr__(self) -> str:
                return f"AsyncClient({self._name!r})"
    ''',
    "resources/streams.py": '''
        """Streams."""

        import threading
        from collections.abc import AsyncIterator, Generator, Iterator, Sequence
        from typing import Any, Generic, Self, TypeVar

        T = TypeVar("T")


        class _Stream(Generic[T]):
            def __init__(self, batches: "list[list[T]]") -> None:
                self._batches = batches
                self._buffer: Iterator[T] = iter(())
                self.reads: list[str] = []

            def __aiter__(self) -> Self:
                """Itself."""
                return self

            async def __anext__(self) -> T:
                """The next one."""
                for item in self._buffer:
                    return item
                batch = await self._read()
                if not batch:
                    raise StopAsyncIteration
                self._buffer = iter(batch)
                return next(self._buffer)

            async def _read(self) -> Sequence[T]:
                self.reads.append(threading.current_thread().name)
                return self._batches.pop(0) if self._batches else ()


        async def _entered(stream: _Stream[T]) -> None:
            stream.reads.append("entered")


        class AsyncNumberStream(_Stream[int]):
            """Numbers."""

            async def __aenter__(self) -> Self:
                await _entered(self)
                return self

            async def __aexit__(self, *_: object) -> None:
                await self.aclose()

            async def aclose(self) -> None:
                self._batches.clear()

            async def until(self, last: int) -> AsyncIterator[int]:
                """Up to a number, and then no more."""
                async for number in self:
                    yield number
                    if number == last:
                        await self.aclose()
                        return

            async def formatted(self) -> AsyncIterator[str]:
                async for number in self:
                    yield f"{number} of {self.left}"

            async def chosen(self) -> AsyncIterator[int]:
                numbers = filter(lambda number: number > 1, [0, 1, 2])
                for number in numbers:
                    yield number

            async def repeated(self) -> AsyncIterator[int]:
                async for number in self._batched():
                    yield number

            async def again(self) -> AsyncIterator[int]:
                async for number in self.repeated():
                    yield number

            async def _batched(self) -> AsyncIterator[int]:
                for batch in self._batches:
                    yield len(batch)

            async def doubled(self) -> AsyncIterator[int]:
                """Twice each."""
                # Over self.
                async for number in self:
                    yield number * 2

            async def described(self) -> AsyncIterator[str]:
                """Each as a text."""
                while self._batches:
                    for number in await self._read():
                        yield f"{number} of {self._batches}"

            @property
            def left(self) -> int:
                """How many batches are left."""
                return len(self._batches)


        class AsyncPage(Generic[T]):
            """Some of many."""

            def __init__(self, data: list[T], further: "AsyncPage[T] | None" = None) -> None:
                self.data: list[T] = data
                self._further = further

            async def next_page(self) -> "AsyncPage[T] | None":
                return self._further

            async def __aiter__(self) -> AsyncIterator[T]:
                page: AsyncPage[T] | None = self
                while page is not None:
                    for item in page.data:
                        yield item
                    page = await page.next_page()


            def __iter__(self) -> Iterator[T]:
                """Of this page alone; a twin goes on, as `async for` does."""
                return iter(self.data)

            async def pages(self) -> AsyncIterator["AsyncPage[T]"]:
                """This one and all that follow."""
                yield self
                if self._further is not None:
                    async for page in self._further.pages():
                        yield page


        class AsyncPages(Generic[T]):
            """Awaited for the first page."""

            def __init__(self, first: AsyncPage[T]) -> None:
                self._first = first

            def __await__(self) -> "Generator[Any, Any, AsyncPage[T]]":
                return self._give().__await__()

            async def _give(self) -> AsyncPage[T]:
                if not self._first.data:
                    raise ValueError("nothing")
                return self._first

            async def __aiter__(self) -> AsyncIterator[T]:
                async for item in await self:
                    yield item


        class AsyncTicks:
            def __aiter__(self) -> Self:
                return self

            async def __anext__(self) -> int:
                if getattr(self, "_over", False):
                    raise StopAsyncIteration
                self._over = await AsyncTicks._wait(f"{self}")
                return 1

            @staticmethod
            async def _wait(text: str) -> bool:
                return bool(text)
    ''',
    "resources/things.py": '''
        """Things."""

        from collections.abc import AsyncIterable, AsyncIterator, Iterable
        from fractions import Fraction
        from functools import cached_property
        from typing import TYPE_CHECKING, Annotated, Literal, overload

        from sample.resources.streams import AsyncNumberStream, AsyncPage, AsyncPages, AsyncTicks, _Stream

        if TYPE_CHECKING:
            from decimal import Decimal

        Mood = Literal["good", 'b"d']
        FirstOfSeveralLongNames = Annotated[int, "one"]
        SecondOfSeveralLongNames = Annotated[int, "two"]
        LIMIT = 3


        class AsyncLetterStream(_Stream[str]):
            """Letters."""


        class AsyncShareStream(_Stream[Fraction]):
            """Of a type that the base's module does not know."""


        class AsyncParts:
            def __init__(self, name: str) -> None:
                self._name = name

            async def name(self) -> str:
                return self._name


        class AsyncThings:
            def __init__(self, name: str) -> None:
                self._name = name

            @cached_property
            def parts(self) -> AsyncParts:
                """Made when asked for."""
                return AsyncParts(self._name)

            @property
            def last(self) -> "AsyncPage[int] | None":
                return AsyncPage([9])

            async def letters(self) -> AsyncLetterStream:
                return AsyncLetterStream([["a"], ["b"]])

            async def letters_or_shares(self, *, shares: bool) -> AsyncLetterStream | AsyncShareStream:
                return AsyncShareStream([[Fraction(1, 2)]]) if shares else AsyncLetterStream([["a"]])

            def add(
                self, one: FirstOfSeveralLongNames, two: SecondOfSeveralLongNames, three: "Annotated[int, LIMIT]"
            ) -> FirstOfSeveralLongNames:
                return one + two + three

            @overload
            async def create(self, count: int, /, *, stream: Literal[True]) -> AsyncNumberStream: ...

            @overload
            async def create(self, count: int, /, *, stream: Literal[False] = False) -> int: ...

            async def create(self, count: int, /, *, stream: bool = False) -> int | AsyncNumberStream:
                """`await create(…)`, then `async for`."""
                return AsyncNumberStream([list(range(count)), [count]]) if stream else count

            async def list(self) -> "AsyncPage[int]":
                return AsyncPage([1, 2], AsyncPage([3]))

            def paged(self, *items: int) -> AsyncPages[int]:
                """Some of them."""
                return AsyncPages(AsyncPage([*items], AsyncPage([0])))

            def ticks(self) -> AsyncTicks:
                return AsyncTicks()

            def iterate(self, items: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[str]:
                return self._iterate(items)

            async def opened(self) -> AsyncIterator[str]:
                return self._iterate("ab")

            async def _iterate(self, items: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[str]:
                assert not isinstance(items, AsyncIterable)
                for item in items:
                    yield item

            async def spell(
                self,
                mood: Mood,
                *letters: str,
                input: str = "i",  # noqa: A002 - a name of its own
                timeout: float = 1.5,  # noqa: ASYNC109 - goes on to another
                separator_between_the_letters_of_the_word: "Decimal | str" = '"',
                text_after_the_last_letter_of_the_word: str = "'",
                **rest: int,
            ) -> str:
                return f"{mood}{separator_between_the_letters_of_the_word}".join(letters) + input + str(rest)
    ''',
}


def write(directory: Path, files: dict[str, str]) -> Path:
    package = directory / "sample"
    for folder in ("", "resources", "_sync"):
        (package / folder).mkdir(parents=True, exist_ok=True)
        (package / folder / "__init__.py").touch()
    for name, text in files.items():
        (package / name).write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return package


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write(tmp_path, SAMPLE)


@pytest.fixture
def sample(package: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The generated client of the sample."""
    assert generate.main(["--package", str(package)]) == 0
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(sys, "modules", {n: m for n, m in sys.modules.items() if n.partition(".")[0] != "sample"})
    return importlib.import_module("sample._sync.client")


def test_what_callers_make_takes_their_arguments(sample: ModuleType) -> None:
    client = sample.Client(name="n")
    assert repr(client) == "Client('n')"
    assert "http_session" not in str(inspect.signature(sample.Client))
    assert inspect.getdoc(sample.Client.__init__) == "Take settings.\n\nname:          its name"
    assert sample.Client.__doc__ == "Use it in `with`, or `close`; see `Things`."


def test_answers_and_attributes_become_twins(sample: ModuleType) -> None:
    client = sample.Client(name="n")
    assert client.named("o").things.parts.name() == "o"
    assert type(client.copy()) is sample.Client
    assert sample.Client(name="").copy() is None
    assert client.things.parts is client.things.parts
    assert not client.entered
    with pytest.raises(AttributeError):
        client.entered = True
    assert client.things.create(3) == 3
    assert type(client.things.create(3, stream=True)).__name__ == "NumberStream"


def test_a_client_that_gives_another_of_its_kind_gives_one_of_the_callers_kind(sample: ModuleType) -> None:
    """With what the caller's class has put into it, and with namespaces of its own."""
    kind: Any = type("Own", (sample.Client,), {})
    client = kind(name="n")
    client.team = "search"
    other = client.renamed("o")
    assert type(other) is kind
    assert (other.team, repr(other), repr(client)) == ("search", "Client('o')", "Client('n')")
    assert other.things.parts.name() == "o"


def test_a_translated_stream_works_on_the_state_of_the_async_one(sample: ModuleType) -> None:
    """Items of a batch are handed out in the caller's thread; only a read goes to the loop's."""
    stream = sample.Client().things.create(3, stream=True)
    assert next(stream) == 0
    assert next(stream.doubled()) == 2
    assert stream.left == 1
    assert list(stream) == [2, 3]
    assert stream.reads == ["onellm"] * 3
    assert stream.__class__.__mro__[1:] == (object,)


def test_an_inherited_stream_has_the_types_of_its_own_class(sample: ModuleType) -> None:
    letters = sample.Client().things.letters()
    assert list(letters) == ["a", "b"]
    assert inspect.signature(letters.__next__).return_annotation is str


def test_an_answer_of_one_of_two_async_kinds(sample: ModuleType) -> None:
    things = sample.Client().things
    halves = things.letters_or_shares(shares=True)
    assert (type(halves).__name__, list(halves)) == ("ShareStream", [Fraction(1, 2)])
    assert inspect.signature(halves.__next__).return_annotation is Fraction
    letters = things.letters_or_shares(shares=False)
    assert (type(letters).__name__, list(letters)) == ("LetterStream", ["a"])


def test_inherited_attributes_are_properties(sample: ModuleType) -> None:
    letters = sample.Client().things.letters()
    assert next(letters) == "a"
    assert letters.reads == ["onellm"]


def test_entering_and_leaving(sample: ModuleType) -> None:
    with sample.Client().things.create(2, stream=True) as stream:
        assert stream.reads == ["entered"]
        assert stream.left == 2
    assert stream.left == 0
    stream = sample.Client().things.create(2, stream=True)
    assert list(stream.until(1)) == [0, 1]
    assert list(stream) == []


def test_a_generator_that_cannot_be_translated_goes_to_the_loop(sample: ModuleType) -> None:
    stream = sample.Client().things.create(2, stream=True)
    assert list(stream.repeated()) == [2, 1]
    assert list(stream.again()) == [2, 1]
    assert list(stream.chosen()) == [2]
    assert list(stream.described()) == ["0 of [[2]]", "1 of [[2]]", "2 of []"]
    stream = sample.Client().things.create(2, stream=True)
    assert list(stream.formatted()) == ["0 of 1", "1 of 1", "2 of 0"]


def test_pages(sample: ModuleType) -> None:
    page = sample.Client().things.list()
    assert list(page) == [1, 2, 3]
    assert page.data == [1, 2]
    assert page.next_page().data == [3]
    assert page.next_page().next_page() is None
    assert list(sample.Client().things.last) == [9]


def test_what_is_awaited_is_what_a_blocking_call_gives(sample: ModuleType) -> None:
    """A class that is awaited, or iterated over unawaited, has no twin: its first page is had at once."""
    things = sample.Client().things
    page = things.paged(1, 2)
    assert (type(page).__name__, page.data, list(page)) == ("Page", [1, 2], [1, 2, 0])
    assert str(inspect.signature(things.paged)).endswith("Page[int]")
    with pytest.raises(ValueError, match="nothing"):
        things.paged()
    assert not hasattr(importlib.import_module("sample._sync.streams"), "Pages")


def test_items_of_an_iterator_become_twins(sample: ModuleType) -> None:
    pages = list(sample.Client().things.list().pages())
    assert {type(page).__name__ for page in pages} == {"Page"}
    assert [page.data for page in pages] == [[1, 2], [3]]


def test_iterators(sample: ModuleType) -> None:
    things = sample.Client().things
    assert list(things.ticks()) == [1]
    assert list(things.iterate(["a", "b"])) == ["a", "b"]
    assert list(things.opened()) == ["a", "b"]


def test_arguments_are_passed_on(sample: ModuleType) -> None:
    spell = sample.Client().things.spell
    assert sample.Client().things.add(1, 2, 3) == 6
    assert spell("good", "a", "b", separator_between_the_letters_of_the_word="-", more=1) == "agood-bi{'more': 1}"


def test_the_text_is_as_the_formatter_wants_it(package: Path) -> None:
    text = generate.files(package)["things.py"]
    assert text.startswith("# GENERATED from sample/resources/things.py by onellm._sync.generate.")
    assert '        input: str = "i",  # noqa: A002 - a name of its own\n        timeout: float = 1.5,\n' in text
    assert '        text_after_the_last_letter_of_the_word: str = "\'",\n' in text
    assert "    def iterate(self, items: Iterable[str]) -> Iterator[str]:\n" in text
    assert '        """`create(…)`, then `for`."""\n' in text
    assert "if TYPE_CHECKING:\n    from decimal import Decimal\n" in text
    generate.main(["--package", str(package)])
    if find_spec("ruff") is not None:
        command = [
            sys.executable,
            "-m",
            "ruff",
            "format",
            "--check",
            "--config",
            str(ROOT / "pyproject.toml"),
            "--diff",
        ]
        done = subprocess.run([*command, str(package / "_sync")], capture_output=True, text=True, check=False)  # noqa: S603
        assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_what_an_async_generator_passes_on_is_yielded_from(package: Path) -> None:
    text = generate.files(package)["streams.py"]
    assert "    def again(self) -> Iterator[int]:\n        yield from self.repeated()\n" in text


def test_check_names_what_is_stale(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, changed, and left behind by a source that has gone; `make sync` then repairs all three."""
    check = ["--package", str(package), "--check"]
    assert generate.main(check) == 1
    assert generate.main(check[:-1]) == 0
    assert generate.main(check) == 0
    capsys.readouterr()
    directory = package / "_sync"
    (directory / "client.py").write_text("", encoding="utf-8")
    (directory / "gone.py").write_text("# GENERATED from sample/resources/gone.py", encoding="utf-8")
    (directory / "by_hand.py").write_text("", encoding="utf-8")
    assert generate.main(check) == 1
    assert re.findall(r"(\w+)\.py is stale", capsys.readouterr().err) == ["client", "gone"]
    assert generate.main(check[:-1]) == 0
    assert generate.main(check) == 0
    assert sorted(path.stem for path in directory.glob("*.py")) == [
        "__init__",
        "by_hand",
        "client",
        "streams",
        "things",
    ]


def test_generating_starts_nothing(package: Path) -> None:
    before = threading.active_count()
    generate.files(package)
    assert threading.active_count() == before


# What it refuses

CLASS = "from x import *\n\n\nclass AsyncX:\n    "

REFUSED = {
    "an async class inside another type": (
        CLASS + "async def f(self) -> list['AsyncX']: ...",
        r"x\.py:5: AsyncX inside of another type has no blocking form",
    ),
    "an async context manager": (
        CLASS + "def f(self) -> AsyncContextManager[int]: ...",
        "AsyncContextManager has no blocking form",
    ),
    "an awaitable answer": (CLASS + "def f(self) -> Awaitable[int]: ...", "Awaitable has no blocking form"),
    "an async argument": (CLASS + "def f(self, x: 'AsyncX') -> None: ...", "AsyncX as an argument"),
    "an async iterable as the only argument": (
        CLASS + "def f(self, x: AsyncIterable[int]) -> None: ...",
        "AsyncIterable has no blocking form",
    ),
    "an argument without a type": (CLASS + "def f(self, x) -> None: ...", "x needs a type"),
    "an answer without a type": (CLASS + "def f(self): ...", "the answer needs a type"),
    "a static method": (CLASS + "@staticmethod\n    def f() -> None: ...", "@staticmethod has no blocking form"),
    "a decorated class": ("@final\nclass AsyncX: ...", "a decorated class"),
    "a name that is taken": ("class AsyncX: ...\n\n\nclass X: ...", "the module has another X"),
    "an imported name that is taken": ("from a import X\n\n\nclass AsyncX: ...", "the module has another X"),
    "two names that become one": (
        CLASS + "async def aclose(self) -> None: ...\n\n    def close(self) -> None: ...",
        "aclose and close would both become close",
    ),
    "an attribute without a type": (
        CLASS + "def __init__(self, x: int) -> None:\n        self.x = x",
        r"a public attribute needs a type: self\.x",
    ),
    "an argument in the way": (
        CLASS + "async def f(self, reply: int) -> 'AsyncX | int': ...",
        "must not be named reply",
    ),
    "a name that twins need": (
        "from a import run\n\n\nclass AsyncX:\n    async def f(self) -> int: ...",
        "the name run is taken",
    ),
    "an awaited class that does not say what it gives": (
        CLASS + "def __await__(self): ...",
        r"__await__ needs the type Generator\[Any, Any, …\]",
    ),
    "an awaited class inside another type": (
        "class AsyncY:\n    def __await__(self) -> Generator[Any, Any, int]: ...\n\n\n"
        + CLASS.partition("\n\n\n")[2]
        + "def f(self) -> list[AsyncY]: ...",
        "AsyncY has no blocking form",
    ),
    "an iterator over several kinds": (
        CLASS + "def f(self) -> AsyncIterator['AsyncX | int']: ...",
        "items of more than one kind",
    ),
    "words that only an async caller follows": (
        CLASS + 'async def f(self) -> int:\n        """Then await."""',
        r"x\.py:6: a docstring tells blocking callers to await",
    ),
    "such words at the top of a module": (
        '"""Awaited by `await`."""\n\n' + CLASS + "...",
        r"x\.py:1: a docstring tells blocking callers to await",
    ),
    "an __aenter__ that gives another": (
        CLASS + "async def __aenter__(self) -> int:\n        return await enter(self)",
        "__aenter__ must return self",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_blocking_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    package = write(tmp_path, {"client.py": "", "resources/x.py": text})
    with pytest.raises(GenerationError, match=message):
        generate.files(package)


def test_what_is_wrong_with_a_base_is_shown_there(tmp_path: Path) -> None:
    base = "class _Base:\n    def __init__(self, x: int) -> None:\n        self.x = x"
    text = "from sample.resources.y import _Base\n\n\nclass AsyncX(_Base): ..."
    package = write(tmp_path, {"client.py": "", "resources/x.py": text, "resources/y.py": base})
    with pytest.raises(GenerationError, match=r"y\.py:3: a public attribute needs a type"):
        generate.files(package)


def test_a_name_for_two_things_is_refused(tmp_path: Path) -> None:
    """What is inherited may name things of its own module that the class's module knows as others."""
    base = "from b import Y\n\n\nclass _Base:\n    def f(self) -> Y: ..."
    text = "from a import Y\nfrom sample.resources.y import _Base\n\n\nclass AsyncX(_Base):\n    def g(self) -> Y: ..."
    package = write(tmp_path, {"client.py": "", "resources/x.py": text, "resources/y.py": base})
    with pytest.raises(GenerationError, match="Y is of b as well as of a"):
        generate.files(package)


def test_files_and_classes_are_unique(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = write(tmp_path, {"client.py": "", "resources/portal.py": "class AsyncX: ..."})
    assert generate.main(["--package", str(package)]) == 2
    assert "portal.py:1: _sync has another file portal.py" in capsys.readouterr().err
    (package / "resources" / "portal.py").unlink()
    write(tmp_path, {"client.py": "class AsyncX: ...", "resources/x.py": "class AsyncX: ..."})
    with pytest.raises(GenerationError, match=r"client\.py has another AsyncX"):
        generate.files(package)


@pytest.mark.parametrize("room", [0, 4])
def test_a_header_leaves_room_for_what_follows_it(room: int) -> None:
    """An overload ends in ` ...` on the same line, and the formatter counts that too."""
    for length in range(50, 100):
        parameter = f"{'x' * length}: int"
        text = header("create", [(parameter, "")], "int", comments=("", ""), apart=False, room=room)
        code = f"    def create({parameter}) -> int:"
        assert text == code if len(code) + room <= 120 else "\n" in text
