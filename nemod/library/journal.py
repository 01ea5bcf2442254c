"""What the library has to say to the log."""


def tell(event: str, **facts: object) -> None:
    """Log something for information."""
    # Loaded where there is something to say: a reader starts a third sooner without it.
    import structlog

    structlog.get_logger("nemod").info(event, **facts)


def warn(event: str, **facts: object) -> None:
    """Log something that a user should look at."""
    import structlog

    structlog.get_logger("nemod").warning(event, **facts)
