"""Saves the state of a run after every epoch, in one file that is replaced atomically."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from nemod.common.errors import ConfigError
from nemod.common.files import replacing
from trainer.differences import differences

FORMAT = 1
Tree = TypeVar("Tree")


@dataclass(slots=True)
class RunState:
    """Progress of a run, without its arrays."""

    epoch: int = 0
    """Completed epochs."""
    seconds: float = 0.0
    """Their wall time, over all sessions."""
    best: float = float("inf")
    """Least validation loss."""
    best_esr: float = float("nan")
    best_epoch: int = 0
    stale: int = 0
    """Validations since the best."""
    waited: int = 0
    """Validations since the best or the last halving of the rate."""
    halvings: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


_FIELDS = {part.name for part in fields(RunState)}


def save(path: Path, identity: Mapping[str, object], state: RunState, numbers: object) -> None:
    """Write the state of a run; `numbers` is a pytree of arrays, `identity` what it belongs to.

    Raises: OSError from the disk; the former file is then still there.
    """
    leaves = {f"leaf{n}": np.asarray(x) for n, x in enumerate(jax.tree.leaves(numbers))}
    text = json.dumps({"format": FORMAT, "identity": identity, "standing": asdict(state)})
    # In memory first: on a full disk savez leaves a truncated archive open.
    whole = io.BytesIO()
    np.savez(whole, allow_pickle=False, state=np.array(text), **leaves)
    with replacing(path) as draft:
        draft.write_bytes(whole.getbuffer())


def load(path: Path, identity: Mapping[str, object], like: Tree) -> tuple[RunState, Tree]:
    """Return the state of a run, and its arrays in a pytree like `like`.

    Raises: ConfigError for a file that is damaged, of another version, or of another run; the
        latter names what differs.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            document = json.loads(str(stored["state"]))
            leaves = [stored[f"leaf{n}"] for n in range(len(stored.files) - 1)]
        stated = document["format"], dict(document["identity"]), dict(document["standing"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError(str(path), [f"no checkpoint can be read from it ({error})"]) from None
    form, found, state = stated
    if form != FORMAT or set(state) != _FIELDS:
        strange = [*sorted(set(state) - _FIELDS), *sorted(_FIELDS - set(state))]
        problem = f"is of another version of nemod-train (format {form}, and {FORMAT} is read here"
        named = f"; its state differs in {', '.join(strange)}" if strange else ""
        raise ConfigError(str(path), [f"{problem}{named}); start again in another folder"])
    if other := differences(found, identity):
        raise ConfigError(str(path), [f"belongs to another run: {'; '.join(other)}"])
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(like)]
    if shapes != [leaf.shape for leaf in leaves]:
        problem = (
            "belongs to another run: the shapes of its arrays differ from those of this network"
        )
        raise ConfigError(str(path), [problem])
    numbers: Tree = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return RunState(**state), numbers
