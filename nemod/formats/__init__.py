"""Model files: one reader per dialect, one `Model` for everything after them. Never imports jax."""

from nemod.formats.load import load_model
from nemod.formats.model import Knob, Model, Probe
from nemod.formats.save import save_model

__all__ = ["Knob", "Model", "Probe", "load_model", "save_model"]
