"""Files that are no single model: what each is, and what its user can do about it."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from nemod.formats.dialects import DIALECTS, dialect_of
from nemod.formats.readers.document import Json, Node

MAX_DEPTH = 3
"""Objects and lists inside one another in which a file with several models is looked through."""

Place = tuple[str | int, ...]


def refuse(root: Node) -> NoReturn:
    """Raise ModelError for a JSON document of no dialect: what it seems to be, and what to do."""
    models = list(_models(root))
    if models:
        root.fail(_several(root, models))
    expected = "; ".join(dialect.keys for dialect in DIALECTS)
    root.fail(f"{_kind(root.mapping())}, expected {expected}")


def _kind(members: dict[str, Json]) -> str:
    if {"conv1d", "lstm", "dense"} <= members.keys():
        return "a SmartAmpPro model, which plays windows of samples and is not supported"
    if any(key.endswith((".weight", ".weight_ih_l0")) or key == "weight" for key in members):
        return "bare PyTorch tensors without their sizes"
    if {"net", "hidden_size", "unit_type", "Data Sets"} & members.keys():
        return "a training configuration, not a model"
    keys = ", ".join(repr(key[:40]) for key in list(members)[:8])
    return f"no known kind of model: it has {keys or 'nothing'}"


def _models(node: Node, place: Place = ()) -> Iterator[Place]:
    """Yield the places of all models inside a document."""
    if dialect_of(node):
        yield place
        return
    if len(place) >= MAX_DEPTH:
        return
    value = node.value
    steps: Iterable[tuple[str | int, Json]] = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, child in steps:
        if isinstance(child, (dict, list)):
            yield from _models(Node(node.file, "", child), (*place, step))


def _several(root: Node, models: list[Place]) -> str:
    names = ", ".join(".".join(map(str, place)) for place in models[:3])
    count = "1 model" if len(models) == 1 else f"{len(models)} models"
    more = ", ..." if len(models) > 3 else ""
    return (
        f"a file with {count} inside ({names}{more}), expected one model; write one to a file of "
        f"its own, for example with: {_command(root, models[0])}"
    )


def _command(root: Node, place: Place) -> str:
    """Return a shell command that writes the model at a place to a file beside the document."""
    path = Path(root.file)
    word = re.sub(r"\W+", "_", "_".join(map(str, place)), flags=re.ASCII).strip("_")[:60]
    dialect = dialect_of(_inside(root, place))
    suffix = dialect.suffixes[0] if dialect else path.suffix
    target = path.with_name(f"{path.stem[:100]}-{word or 'model'}{suffix}")
    steps = "".join(f"[{_literal(step)}]" for step in place)
    code = (
        "import json, sys; "
        f'model = json.load(open(sys.argv[1], encoding="utf-8-sig")){steps}; '
        'json.dump(model, open(sys.argv[2], "x"))'
    )
    return f"python3 -c {shlex.quote(code)} {shlex.quote(root.file)} {shlex.quote(str(target))}"


def _literal(step: str | int) -> str:
    """Return a key or an index in Python, in double quotes where it is as simple as most are."""
    if isinstance(step, str) and re.fullmatch(r"[\w .+-]+", step, re.ASCII):
        return f'"{step}"'
    return ascii(step)


def _inside(node: Node, place: Place) -> Node:
    for step in place:
        node = node.child(step) if isinstance(step, str) else node.sequence()[step]
    return node
