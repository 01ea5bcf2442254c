"""Cache of compiled programs on disk: a network is compiled once per rate and block size.

A stored program is machine code that is loaded unchecked, so the folder must belong to the user
alone: its mode is 0700, and a folder of another user is refused.
"""

import contextlib
import hashlib
import os
import platform
from functools import cache
from pathlib import Path

import jax
import jaxlib.version

from nemod.common import paths
from nemod.common.errors import NemodError
from nemod.common.files import replacing
from nemod.common.paths import FolderError

KEEP_BYTES = 256 << 20
"""[bytes] Above this total the least recently used programs are removed."""


def cache_folder() -> Path:
    """Return the folder of compiled programs, created if necessary.

    `$NEMOD_CACHE`, else see `nemod.common.paths.cache_folder`. Raises: NemodError when another user
    owns it; OSError, FolderError when it cannot be created.
    """
    given = os.environ.get("NEMOD_CACHE")
    folder = Path(given) if given else paths.cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise NemodError(
            f"{folder}: belongs to user {found.st_uid}, and compiled programs of another user "
            "are not run; remove it or set NEMOD_CACHE"
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


@cache
def _environment() -> str:
    """Return what every program depends on: jax, the processor, the compiler flags, our code."""
    parts = [jax.__version__, jaxlib.version.__version__, platform.machine()]
    parts.append(os.environ.get("XLA_FLAGS", ""))
    with contextlib.suppress(OSError):
        cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        parts += sorted(
            {line for line in cpu.splitlines() if line.startswith(("flags", "Features"))}
        )
    root = Path(__file__).parent.parent
    names = ("chain.py", "packing.py", "parts.py", "program.py", "rig.py")
    engine = [root / "engine" / name for name in names]
    for source in sorted((*root.glob("fx/**/*.py"), *root.glob("parameters/*.py"), *engine)):
        parts.append(hashlib.sha256(source.read_bytes()).hexdigest())
    return "\n".join(parts)


def key(*what: object) -> str:
    """Return the name under which the program of `what` (by its repr) is stored."""
    text = "\n".join([*map(repr, what), _environment()])
    return hashlib.sha256(text.encode()).hexdigest()


def fetch(name: str) -> bytes | None:
    """Return a stored program, or None.

    Raises: NemodError when the folder belongs to another user.
    """
    try:
        path = cache_folder() / f"{name}.program"
        data = path.read_bytes()
    except (OSError, FolderError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the least recently used are removed first
    digest, _, program = data.partition(b"\n")
    # A full disk or a power cut may have truncated the file.
    return program if hashlib.sha256(program).hexdigest().encode() == digest else None


def store(name: str, program: bytes) -> None:
    """Store a program. A disk that refuses it is no error: it is compiled again next time."""
    with contextlib.suppress(OSError, FolderError):
        folder = cache_folder()
        with replacing(folder / f"{name}.program", mode=0o600) as draft:
            digest = hashlib.sha256(program).hexdigest().encode()
            draft.write_bytes(digest + b"\n" + program)
        _trim(folder)


def _trim(folder: Path) -> None:
    found = [(path.stat(), path) for path in folder.glob("*.program")]
    total = sum(stat.st_size for stat, _ in found)
    for stat, path in sorted(found, key=lambda item: item[0].st_mtime):
        if total <= KEEP_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= stat.st_size
