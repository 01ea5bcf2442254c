"""`load_model`: a model file of any dialect, told from its content."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from nemod.formats import guitarml, nam, rtneural, wavenetva
from nemod.formats.document import Node, read_json
from nemod.formats.model import Model


class Dialect(NamedTuple):
    """A reader, and what tells its files."""

    label: str
    matches: Callable[[Node], bool]
    read: Callable[[Node, str], Model]


DIALECTS = (
    Dialect("'model_data' and 'state_dict' (GuitarML)", guitarml.matches, guitarml.read),
    Dialect("'layers' and 'in_shape' (RTNeural, AIDA-X)", rtneural.matches, rtneural.read),
    Dialect("'architecture' and 'config' (NAM)", nam.matches, nam.read),
    Dialect("'variables' and 'residual_channels' (PedalNet)", wavenetva.matches, wavenetva.read),
)


def load_model(path: str | PathLike[str], *, size: float | None = None) -> Model:
    """Read a model file, and check all of it before anything is built.

    `size` (0 to 1) picks the size of a model that has several; the full one if absent. Other
    models have one size, whatever is asked.

    Raises: ModelError naming the file, the key (or line and column), what was found and what was
        expected.
    """
    file = Path(path)
    root = read_json(file)
    root.mapping()
    if nam.matches(root):
        return nam.read(root, file.stem, size)
    for dialect in DIALECTS:
        if dialect.matches(root):
            return dialect.read(root, file.stem)
    expected = "; ".join(dialect.label for dialect in DIALECTS)
    return root.fail(f"{_other(root)}, expected {expected}")


def _other(root: Node) -> str:
    """Return what a document that is no model of ours seems to be."""
    members = root.mapping()
    if {"conv1d", "lstm", "dense"} <= members.keys():
        return "a SmartAmpPro model, which plays windows of samples and is not supported"
    inner = [value for value in members.values() if isinstance(value, dict)]
    if inner and all("in_shape" in value for value in inner):
        return f"{len(inner)} models in one file ({', '.join(map(repr, list(members)[:3]))}, ...)"
    if any(key.endswith((".weight", ".weight_ih_l0")) or key == "weight" for key in members):
        return "bare PyTorch tensors without their sizes"
    if {"net", "hidden_size", "unit_type", "Data Sets"} & members.keys():
        return "a training configuration, not a model"
    keys = ", ".join(repr(key[:40]) for key in list(members)[:8])
    return f"no known kind of model: it has {keys or 'nothing'}"
