"""What is begun anew in the child of a fork: a lock that another thread held there would never be free."""

import os
import weakref
from typing import Protocol


class BeginsAnew(Protocol):
    """What has locks, or things of its process."""

    def begin_anew(self) -> None:
        """Make them new; called in the child."""
        ...


_all: "weakref.WeakSet[BeginsAnew]" = weakref.WeakSet()


def begins_anew(one: BeginsAnew) -> None:
    """Let it begin anew in each child, as long as anybody has it."""
    _all.add(one)


def _in_child() -> None:
    for one in list(_all):
        one.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
