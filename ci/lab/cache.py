"""What is made once and kept: ${XDG_CACHE_HOME:-~/.cache}/bottle-gate, one entry a name, the name carrying the hash of what it is made from.

An entry is made under a temporary name and renamed when it is whole, under a lock of its own: two labs at once make it once, and one that was
interrupted leaves nothing that could be taken for an entry.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil


def directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = pathlib.Path(base) / "bottle-gate"
    path.mkdir(parents=True, exist_ok=True)
    return path


def remove(path):
    """Removes it. Nothing may be mounted below it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(name, waiting):
    """Holds the lock of that name; `waiting` is called once if somebody else has it."""
    with open(directory() / f"{name}.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(name, make, say):
    """The path of the entry `name`. Where there is none, `make(path)` makes it, at a path that doesn't exist yet."""
    final = directory() / name
    if final.exists():
        return final
    with lock(name, lambda: say(f"another lab is making {name}: waiting for it")):
        if final.exists():
            return final
        part = directory() / f"{name}.part"
        remove(part)  # of one that was killed: nobody else holds the lock
        try:
            make(part)
            os.rename(part, final)
        finally:
            remove(part)
    return final
