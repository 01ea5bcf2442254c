"""The reference page of all addresses, made from the tree itself.

`python -m nemod.osc.reference > docs/osc.md` brings the page up to date.
"""

import sys

from nemod.osc import neuralpi
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

UDP and TCP have the same port. A TCP connection that begins with the byte 0xC0 has the framing of
OSC 1.1 (SLIP), every other one that of OSC 1.0 (each packet after its length); it is answered on
the connection.
"""
_NEURALPI = f"""
## Addresses of NeuralPi

With `compat: [neuralpi]` below `osc` in the configuration these are served, too, and UDP port
{neuralpi.PORT} is open besides nemod's own: NeuralPi's plug-in (1.3) then controls nemod. It sends
a model as its place in its own alphabetical list, so both programs need the same models. Presence
and Ir have no counterpart.
"""
_TABLE = ["| address | type | | range | meaning |", "|---|---|---|---|---|"]


def reference_page() -> str:
    """Return the page in Markdown, without a model's own knobs."""
    leaves = build_tree().leaves
    lines = [_HEAD, *_TABLE]
    for leaf in leaves.values():
        if leaf.address.startswith(("/nemo/real/", "/nemo/text/")):
            continue
        real = leaves.get(leaf.address.replace("/nemo/", "/nemo/real/", 1))
        lines.append(_row(leaf, real.range if real else ""))
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
    lines += [_NEURALPI, *_TABLE, *(_row(leaf) for leaf in neuralpi.neuralpi_leaves())]
    return "\n".join(lines) + "\n"


def _row(leaf: Leaf, real_range: str = "") -> str:
    ranges = dict.fromkeys((leaf.range, real_range))
    shown = "; ".join(text for text in ranges if text)
    return f"| `{leaf.address}` | {_type(leaf)} | {_access(leaf)} | {shown} | {leaf.help} |"


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
