"""The reference page of all addresses, made from the tree itself.

`python -m nemod.osc.reference > docs/osc.md` brings the page up to date.
"""

import sys

from nemod.osc.addresses.client import SENT, SUBSCRIBE
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.tree import build_tree
from nemod.osc.addresses.values import TAGS, LeafKind
from nemod.parameters.parameter_set import SHORT_FORMS

_HEAD = """# OSC addresses

Made by `python -m nemod.osc.reference` from the table of parameters; do not edit.

A message with one argument sets, a message without arguments queries; the answer is sent to the
port that asked. A query of a container (`/nemo`, `/nemo/delay`, ...) is answered by everything in
it. Knobs are 0..1; `/nemo/real/...` is the same knob in its own unit, `/nemo/text/...` its label.
Wildcards (`? * [a-z] [!a] {a,b}`) reach numbers and switches. r: read, w: write, t: trigger, sent:
by the daemon only. The default is in brackets.

What changes is sent to subscribers (`/nemo/subscribe`), and for 60 s to whoever sets a value. A
subscriber on another machine also gets long answers; without a subscription an answer has at most
8 times the bytes of its question, or is an error `limit`.
"""


def reference_page() -> str:
    """Return the page in Markdown, without a model's own knobs."""
    leaves = build_tree().leaves
    lines = [_HEAD, "| address | type | | range | meaning |", "|---|---|---|---|---|"]
    for leaf in leaves.values():
        if leaf.address.startswith(("/nemo/real/", "/nemo/text/")):
            continue
        real = leaves.get(leaf.address.replace("/nemo/", "/nemo/real/", 1))
        ranges = [leaf.range, *([real.range] if real and real.range != leaf.range else [])]
        shown = "; ".join(text for text in ranges if text)
        lines.append(
            f"| `{leaf.address}` | {_type(leaf)} | {_access(leaf)} | {shown} | {leaf.help} |"
        )
    lines += [
        f"| `{address}` | {tags} | sent | | {text} |" for address, (tags, text) in SENT.items()
    ]
    lines.append("")
    lines += [
        f"One number to `/nemo/{short}` sets `/nemo/{path}`." for short, path in SHORT_FORMS.items()
    ]
    lines.append(
        "A model's knobs are `/nemo/knob/1`, `/nemo/knob/2`, ... and `/nemo/knob/<name>`; the first"
        " two are `/nemo/gain` and `/nemo/level` too."
    )
    return "\n".join(lines) + "\n"


def _type(leaf: Leaf) -> str:
    if leaf.kind in (LeafKind.NAME, LeafKind.ENUM):
        return "s or i"
    if leaf.kind is LeafKind.ARGUMENTS:
        return "i, s" if leaf.address == SUBSCRIBE else "i"
    return "T or F" if leaf.kind is LeafKind.BOOL else TAGS[leaf.kind]


def _access(leaf: Leaf) -> str:
    if leaf.kind is LeafKind.TRIGGER:
        return "t"
    if leaf.check_all:
        return "t"
    return (
        ("r" if leaf.read else "") + ("w" if leaf.check else "") + ("" if leaf.needs_value else "t")
    )


if __name__ == "__main__":
    sys.stdout.write(reference_page())
