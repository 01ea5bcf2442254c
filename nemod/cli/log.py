"""Logging to standard error: one line per event, readable or as JSON."""

import sys

import structlog

from nemod.config import LogConfig, log_level


class _StandardError:
    """Standard error at the time of each write: the live meters replace `sys.stderr`."""

    def write(self, text: str) -> int:
        """Write text."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush what was written."""
        sys.stderr.flush()


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
        logger_factory=structlog.PrintLoggerFactory(_StandardError()),  # type: ignore[arg-type]
        # Loggers of modules made before this call follow it, too, and events are rare.
        cache_logger_on_first_use=False,
    )
