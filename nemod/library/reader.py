"""A reader: a process that is sent paths and answers with what the files hold.

A line each way, in JSON: `"path"` in, the fields of `Facts` out. It lives until its input ends.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

NICENESS = 10
"""Reading files is never worth a late block of sound."""


def main() -> None:
    """Answer until the input ends."""
    # What a library prints must not get between the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        os.nice(NICENESS)
        from nemod.library.facts import read_facts

        answers.write(b'"ready"\n')
        answers.flush()
        for line in sys.stdin.buffer:
            facts = read_facts(Path(json.loads(line)))
            answers.write(json.dumps(asdict(facts)).encode() + b"\n")
            answers.flush()
