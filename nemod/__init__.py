"""nemod: a neural guitar rig without a screen.

    nemod.load_model(path) -> Model       a model file of any dialect that nemod reads
    nemod.save_model(model, path)         GuitarML's JSON, which players in the field read
    nemod.render(model, samples, rate)    the rig, offline, over an array

The daemon and its commands are in `nemod.cli`.
"""

from typing import TYPE_CHECKING, Any

from nemod.formats import load_model, save_model
from nemod.formats.model import Model

if TYPE_CHECKING:
    from nemod.builder.offline import render

__version__ = "0.1.0"
__all__ = ["Model", "load_model", "render", "save_model"]


def __getattr__(name: str) -> Any:
    # jax is only loaded where something is rendered: the control plane does without it.
    if name == "render":
        from nemod.builder.offline import render

        return render
    raise AttributeError(f"module 'nemod' has no attribute {name!r}")
