"""Writes the blocking twins of the async classes: `python -m onellm._sync.generate`; with `--check` it only compares.

For each public class `AsyncX` in `client.py` and `resources/` there is an `X` in `_sync/`. It holds an `AsyncX`, and
has its public methods, with their signatures, overloads and docstrings minus what is asynchronous about them:

- a coroutine is submitted to the loop thread; a plain method or a property is asked in the caller's thread;
- `__anext__`, and an async generator that iterates over `self`, are translated: the same code on the same state, in
  the caller's thread, so that what one network read has brought is handed out without going to the loop again;
- what can be iterated over in both ways, a twin iterates over as `async for` does;
- any other async generator is asked for one item at a time;
- an answer, or an attribute, that is an `AsyncY` becomes a `Y`, and so do the items of an async iterator;
- an `AsyncZ` with `__await__` has no twin: a method that gives one is blocking, and gives what awaiting gives;
- what a class inherits from another one of these sources is copied: of bases, a twin has `Generic` alone;
- what callers make, the classes of `client.py`, takes the same arguments, except those in `twin.OMITTED`.

Whatever cannot be expressed in this way is a `GenerationError`, which names file and line. The output is written as
the formatter would, and does not depend on the version of Python that runs this.
"""
