"""A file that says who works on another: one process, or one task in it, at a time."""

import contextlib
import errno
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    _PLACE = 1 << 10  # where the lock is, behind what others read: it keeps them from reading

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_TAKEN = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})


class FileLock:
    """The system's lock on a file of its own. It ends with its owner, however that ends: the file alone locks nothing.

    A file system that has no locks gives it to everybody.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take it, unless somebody has it.

        Raises:
            OSError: the file cannot be made.
        """
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                free = self._try(descriptor)
                here = free and self._is_here(descriptor)
                if here:
                    os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    os.write(descriptor, b"%d" % os.getpid())
                    self._descriptor = descriptor
            finally:
                if self._descriptor is None:
                    os.close(descriptor)
            if here or not free:
                return here
            # Whoever had it has deleted it just now: the next one is another file.

    def owner(self) -> int | None:
        """The process that has it, as far as that is known."""
        try:
            return int(self.path.read_bytes()[:20])
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Give it back, and delete the file."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        if sys.platform == "win32":  # where a file that is open cannot be deleted, by nobody
            os.close(descriptor)
            with contextlib.suppress(OSError):
                self.path.unlink()
        else:  # before it is free, or it would be the next owner's
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(descriptor)

    @staticmethod
    def _try(descriptor: int) -> bool:
        try:
            _lock(descriptor)
        except OSError as exc:
            return exc.errno not in _TAKEN
        return True

    def _is_here(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False
