"""The reference page of all addresses, made from the tree itself.

`python -m nemod.osc.reference > docs/osc.md` brings the page up to date.
"""

import sys
from collections.abc import Callable, Iterator

from nemod.chain import DEFAULT_CHAIN, KINDS, MODEL, SPLIT, Chain, Slot, Split
from nemod.osc import neuralpi
from nemod.osc.addresses.client import SENT, SUBSCRIBE
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.tree import build_tree
from nemod.osc.addresses.values import TAGS, LeafKind
from nemod.parameters.parameter_set import SHORT_FORMS, ParameterSet

_HEAD = """# OSC addresses

Made by `python -m nemod.osc.reference` from the table of parameters; do not edit.

A message with one argument sets, a message without arguments queries; the answer is sent to the
port that asked. A query of a container (`/nemo`, `/nemo/delay`, ...) is answered by everything in
it. Knobs are 0..1; `/nemo/real/...` is the same knob in its own unit, `/nemo/text/...` its label.
Wildcards (`? * [a-z] [!a] {a,b}`) reach numbers and switches. r: read, w: write, t: trigger, sent:
by the daemon only. The default is in brackets.

An answer goes to the port that asked, so a program that only sends (`oscsend`) shows none; use a
program that receives ([clients.md](clients.md)), or `curl` ([oscquery.md](oscquery.md)). A sender
on another machine without a subscription gets at most 8 times the bytes of its question.

UDP and TCP have the same port. A TCP connection that begins with the byte 0xC0 has the framing of
OSC 1.1 (SLIP), every other one that of OSC 1.0 (each packet after its length); it is answered on
the connection.

## Subscriptions

`/nemo/subscribe` sends everything as it is now, and then every change, whoever made it, for 60 s:
send it again every 30 s. Its arguments are the port to send to (i), where that is not the sender's
own, and flags, one string each (`,iss 9700 params text`):

| flag | what is sent |
|---|---|
| `params` | knobs, switches, names and numbers of model and preset |
| `status` | what is below `/nemo/status`, at most once a second |
| `text` | labels of the knobs, below `/nemo/text` |
| `real` | knobs in their units, below `/nemo/real`; with `meters` the levels in dBFS |
| `meters` | what is below `/nemo/meter`, `/nemo/meter/rate` times a second |
| `tuner` | what the tuner reads, while it is enabled |

Without flags they are `params status`, as for the targets of `osc.feedback` in the configuration. A
client that sets something is sent `params` for 60 s without asking. Nobody is sent back the value
that he has just set, at the address that he used, unless it was clipped or rounded.

## A page of TouchOSC and the like

- A fader or knob: its address, 0..1. `/nemo/delay/note` and other lists of names: a fader or radio
  with the range of the numbers, as 0..15.
- A button for a trigger (`next`, `tap`, `panic`, `toggle/bypass`): as it is; releasing it does
  nothing.
- A button for one preset, snapshot or model: `/nemo/preset/load` with a constant integer, sent when
  it is pressed only: a 0 at its release would load number 0.
- `/nemo/preset/save` and `/nemo/preset/delete` take a number (i), a name (s), or for the current
  preset a button (a float, or nothing).
- A label: `/nemo/text/...`, with a subscription to `text`.
- A page that has just been opened: `/nemo/subscribe`, or any control that is moved.

Settings that arrive while a model or preset is being loaded belong to the sound that still plays;
to go on with the new one, wait for `/nemo/done`, or send `/nemo/sync` and wait for `/nemo/synced`.

## Errors

`/nemo/error` is sent to the sender alone: code, address, text. `address` nothing is there; `type`
an argument of a kind that it does not take; `args` too many; `value` not a number that can be set,
or a name that cannot be; `not_found` no such model, preset or snapshot; `busy` superseded by a
newer request; `io` the disk, a file or the audio process; `denied` not from this machine;
`readonly`, `writeonly`; `tx` a transaction, of which nothing was carried out; `rate` and `limit`
too much at once.

## Addresses
"""
_NEURALPI = f"""
## Addresses of NeuralPi

With `compat: [neuralpi]` below `osc` in the configuration these are served, too, and UDP port
{neuralpi.PORT} is open besides nemod's own: NeuralPi's plug-in (1.3) then controls nemod. It sends
a model as its place in its own alphabetical list, so both programs need the same models. Presence
and Ir have no counterpart.
"""
_SLOTS = """
## Slots of a chain

Every control of a slot stands below the slot's name: `/nemo/model/gain`, `/nemo/eq/bass`, and in
a chain that has such slots `/nemo/pedal/gain`, `/nemo/model2/knob/tone`, `/nemo/delay2/time`,
each with its `/nemo/real/...` and `/nemo/text/...`. The addresses in the table are those of the
first slot of a kind, whatever it is called; those of a kind that the chain does not have do not
exist. All addresses of a control are echoed.

Each model or cabinet slot has `load`, `current`, `index`, `count`, `next`, `prev`, `list` and
`info` below its name, and a model slot `size`: `/nemo/model2/load`, `/nemo/cab2/next`.
`/nemo/model/...`, `/nemo/size` and `/nemo/cab/...` are those of the first ones.

When the chain changes, subscribers are sent everything again, and OSCQuery clients `PATH_CHANGED`
([chains.md](chains.md))."""
_TABLE = ["| address | type | | range | meaning |", "|---|---|---|---|---|"]


def reference_page() -> str:
    """Return the page in Markdown, without a model's own knobs."""
    lines = [_HEAD, *_TABLE, *_rows(_is_in_default_table, DEFAULT_CHAIN)]
    for kind in KINDS:
        if DEFAULT_CHAIN.first(kind) is None:
            lines += _rows_of(kind)
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
    lines.append(_SLOTS)
    lines += [_NEURALPI, *_TABLE, *(_row(leaf) for leaf in neuralpi.neuralpi_leaves())]
    return "\n".join(lines) + "\n"


def _rows(is_shown: Callable[[Leaf], bool], chain: Chain) -> Iterator[str]:
    """Yield the rows of the addresses that a chain has, in their order."""
    leaves = build_tree(ParameterSet(chain)).leaves
    for leaf in leaves.values():
        if is_shown(leaf) and not leaf.address.startswith(("/nemo/real/", "/nemo/text/")):
            real = leaves.get(leaf.address.replace("/nemo/", "/nemo/real/", 1))
            yield _row(leaf, real.range if real else "")


def _rows_of(kind: str) -> Iterator[str]:
    """Yield the rows of a kind of slot that the default chain does not have."""
    place = Split() if kind == SPLIT else Slot(name=kind, kind=kind)
    return _rows(lambda leaf: leaf.path.startswith(f"{kind}/"), Chain((place,)))


def _is_in_default_table(leaf: Leaf) -> bool:
    """Whether an address has a row: those by the name of a slot have a paragraph instead."""
    slot, _, below = leaf.address.removeprefix("/nemo/").partition("/")
    is_other = leaf.path.startswith(f"{slot}/") and slot in ("model", "eq")
    return not is_other and (slot, below) != (MODEL, "size")


def _row(leaf: Leaf, real_range: str = "") -> str:
    ranges = dict.fromkeys((leaf.range, real_range))
    shown = "; ".join(text for text in ranges if text)
    return f"| `{leaf.address}` | {_type(leaf)} | {_access(leaf)} | {shown} | {leaf.help} |"


def _type(leaf: Leaf) -> str:
    if leaf.kind in (LeafKind.NAME, LeafKind.ENUM):
        return "s or i"
    if leaf.kind is LeafKind.ARGUMENTS:
        return "i, s" if leaf.address == SUBSCRIBE else ", ".join(leaf.type_tags)
    return "T or F" if leaf.kind is LeafKind.BOOL else leaf.type_tags or TAGS[leaf.kind]


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
