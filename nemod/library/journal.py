"""Log lines of the library."""


def info(event: str, **facts: object) -> None:
    """Log an event for information."""
    # Imported only here: without it a process that reads model files starts a third sooner.
    import structlog

    structlog.get_logger("nemod").info(event, **facts)


def warn(event: str, **facts: object) -> None:
    """Log an event that needs the user's attention."""
    import structlog

    structlog.get_logger("nemod").warning(event, **facts)
