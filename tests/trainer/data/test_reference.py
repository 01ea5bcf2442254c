"""The table of faults in the documentation."""

from trainer.data.reference import PAGE, page


def test_the_table_is_current() -> None:
    """The page contains the messages of the program."""
    now = PAGE.read_text(encoding="utf-8")
    assert page(now) == now
