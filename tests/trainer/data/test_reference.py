"""The page on training data."""

from trainer.data.reference import PAGE, page


def test_the_table_is_current() -> None:
    """The page in docs has the sentences that the program says."""
    now = PAGE.read_text(encoding="utf-8")
    assert page(now) == now
