"""Files that are whole or as they were before: written in one step, locked, read with clear errors.

Every writer of the package goes through `write_atomically`, so that a power cut or a full disk
leaves the old file. Every reader of JSON goes through `parse_json`.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

UNFINISHED = ".unfinished-"
# Answers of systems and file systems that do not sync, or not folders.
NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM}
NO_SYNC |= {errno.EBADF, errno.EISDIR}


def check_writable(file: Path) -> None:
    """Refuse a file that cannot be written, before the work whose result it is for.

    Raises:
        ValueError: its folder does not exist or lets nobody write, or it is a folder itself.
    """
    if not file.parent.is_dir():
        raise ValueError(f"{file.parent} is not a folder; make it first")
    if file.is_dir():
        raise ValueError(f"{file} is a folder; name a file")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ValueError(f"{file.parent} may not be written; name a file in another folder")


def read_json(file: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is truncated or not JSON.
    """
    return parse_json(file.read_bytes(), str(file))


def parse_json(text: str | bytes, source: str) -> Any:
    """What a JSON text says; `source` is where it comes from, for the error.

    NaN and Infinity are refused: Python reads and writes them as numbers, but they are not JSON,
    and other programs stop at them.

    Raises:
        ValueError: the text is truncated or not JSON.
    """
    try:
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:  # brackets can be nested too deeply to follow
        raise ValueError(f"{source}: truncated or not JSON: {error}") from error


def _not_json(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def write_atomically(file: Path, data: bytes) -> None:
    """Put data under a name such that the name never stands for less than all of it."""
    temporary = file.with_name(f"{UNFINISHED}{os.getpid()}-{file.name}")
    try:
        with open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            with where_possible():
                os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


@contextmanager
def where_possible() -> Iterator[None]:
    """Let syncing fail where the file system or the system does not know it: the data is in place.

    Raises:
        OSError: any other failure, such as a full or failing disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last, whenever the power goes."""
    with where_possible():
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def lock(file: Path) -> int:
    """Lock a file, which is made if need be and stays empty, until its descriptor is closed.

    The system holds the lock: it ends with the process, however that ends, and the file may stay.
    A file system without locks gives none, and nobody is kept out.

    Returns:
        The descriptor.

    Raises:
        BlockingIOError: another process holds the lock, or another thread of this one.
        OSError: the file cannot be opened for writing.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES):
            os.close(descriptor)
            raise BlockingIOError(f"{file} is locked") from error
    return descriptor
