"""The configuration: its options, the file and the command line that set them."""

from nemod.config.arguments import config_file
from nemod.config.checks import MODEL_RATE
from nemod.config.loader import default_path, load
from nemod.config.options import (
    LOG_LEVELS,
    MAX_BLOCK_FRAMES,
    MIN_BLOCK_FRAMES,
    AudioConfig,
    Config,
    LevelConfig,
    LogConfig,
    OscConfig,
    log_level,
)

__all__ = [
    "LOG_LEVELS",
    "MAX_BLOCK_FRAMES",
    "MIN_BLOCK_FRAMES",
    "MODEL_RATE",
    "AudioConfig",
    "Config",
    "LevelConfig",
    "LogConfig",
    "OscConfig",
    "config_file",
    "default_path",
    "load",
    "log_level",
]
