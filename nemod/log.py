"""Logging: one line an event on standard error, for people or as JSON for machines."""

import sys

import structlog

from nemod.config import LogConfig, log_level


def configure(config: LogConfig) -> None:
    """Set up logging for the whole process."""
    renderer: structlog.typing.Processor
    if config.json:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if config.json else "%H:%M:%S"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(log_level(config.level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
