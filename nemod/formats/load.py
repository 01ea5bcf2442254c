"""`load_model`: a model file of any dialect, told from its content."""

from os import PathLike
from pathlib import Path
from types import ModuleType

from nemod.formats import guitarml
from nemod.formats.document import read_json
from nemod.formats.model import Model

READERS: tuple[ModuleType, ...] = (guitarml,)
"""One module per dialect, each with `matches(root)` and `read(root, name)`."""


def load_model(path: str | PathLike[str]) -> Model:
    """Read a model file, and check all of it before anything is built.

    Raises: ModelError naming the file, the key (or line and column), what was found and what was
        expected.
    """
    file = Path(path)
    root = read_json(file)
    root.mapping()
    for reader in READERS:
        if reader.matches(root):
            model: Model = reader.read(root, file.stem)
            return model
    keys = ", ".join(repr(key[:40]) for key in root.keys()[:8])
    return root.fail(
        f"no known kind of model: it has {keys or 'nothing'}; expected 'model_data' and "
        "'state_dict' (GuitarML)"
    )
