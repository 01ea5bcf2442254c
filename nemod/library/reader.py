"""A reader process: it gets paths of model files and answers with what the files hold.

One line of JSON each way: a path in, the fields of `Facts` out. It ends when its input ends.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

NICENESS = 10
"""The audio process must not wait for the reading of files."""


def main() -> None:
    """Answer until the input ends."""
    # Whatever else is printed must not get between the answers.
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
