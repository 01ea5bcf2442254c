"""Makes a virtual environment usable at the place to which it was moved or copied.

python relocate.py OLD NEW    OLD is the folder where it was, NEW the one where it is
"""

import os
import subprocess
import sys
from pathlib import Path

SHEBANG = b"#!"
SHELL = b"#!/bin/sh\n'''exec' "
"""What pip writes instead where the path is long or has spaces; Python takes it for a string."""


def relocated(script: bytes, old: bytes, new: bytes) -> bytes:
    """Return a script that starts with the interpreter in `new` if it started with one in `old`."""
    if script.startswith(SHEBANG + old):
        body = script.split(b"\n", 1)[1]
    elif script.startswith((SHELL + old, SHELL + b'"' + old)):
        body = script.split(b"\n", 3)[3]
    else:
        return script
    return SHELL + b'"' + new + b'python" "$0" "$@"\n' + b"' '''\n" + body


def main(old: str, new: str) -> None:
    """Rewrite the scripts, the activation scripts and the configuration of the environment."""
    folder = Path(new) / "bin"
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink():
            script = path.read_bytes()
            moved = relocated(script, os.fsencode(old) + b"/bin/", os.fsencode(new) + b"/bin/")
            if moved != script:
                path.write_bytes(moved)
    # Writes bin/activate and pyvenv.cfg anew, and leaves the packages.
    base = sys._base_executable  # type: ignore[attr-defined]
    subprocess.run([base, "-I", "-m", "venv", "--without-pip", new], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
