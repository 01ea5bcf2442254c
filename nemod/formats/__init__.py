"""Model files: one reader per dialect, and one `Model` for everything after them. No jax here."""

from nemod.formats.info import ModelInfo
from nemod.formats.load import load_model
from nemod.formats.model import Knob, Model, Probe
from nemod.formats.save import save_model

__all__ = ["Knob", "Model", "ModelInfo", "Probe", "load_model", "save_model"]
