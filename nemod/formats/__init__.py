"""Model files: one reader per dialect, and one `Model` for everything after them. No jax here.

dialects      the dialects, one row each
readers/      a reader per dialect, and what they share
load          `load_model`; save: `save_model`
model         `Model`: what every file becomes
info          `ModelInfo`: what a file says about its model
network       what a model computes; weights: its numbers; summary: a network in a few words
rate          recurrent networks at another sample rate; state_delay: the delay in the recurrence
"""

from nemod.formats.info import ModelInfo
from nemod.formats.load import load_model
from nemod.formats.model import Knob, Model, Probe
from nemod.formats.save import save_model

__all__ = ["Knob", "Model", "ModelInfo", "Probe", "load_model", "save_model"]
