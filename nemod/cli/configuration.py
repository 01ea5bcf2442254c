"""The options of the configuration on the command lines of nemod."""

import argparse

import structlog

from nemod.cli.log import configure
from nemod.config import Config, arguments

add_options = arguments.add_options


def configuration(parsed: argparse.Namespace) -> Config:
    """Return the configuration that parsed arguments stand for, and set up logging as it says.

    Folders of models that do not exist are logged. Raises: ConfigError with all problems of the
    file and the command line.
    """
    config = arguments.configuration(parsed)
    configure(config.log)
    for folder in config.library:
        if not folder.is_dir():
            structlog.get_logger("nemod").warning("library folder not found", folder=str(folder))
    return config
