"""What is not the same, in words."""

from trainer.differences import differences


def test_what_differs_is_named_with_both_values() -> None:
    """Parts of parts by a path; what is only on one side too; a digest by its beginning."""
    was = {"recipe": {"hidden": 20, "batch": 8, "old": 1}, "data": "a" * 64, "same": [1, 2]}
    now = {"recipe": {"hidden": 40, "batch": 8, "knob": ""}, "data": "b" * 64, "same": [1, 2]}
    assert differences(was, now) == [
        "recipe.hidden 20, not 40",
        "recipe.knob not stated, and now ''",
        "recipe.old 1, which is not known here",
        "data 'aaaaaaaaaaaa..', not 'bbbbbbbbbbbb..'",
    ]
