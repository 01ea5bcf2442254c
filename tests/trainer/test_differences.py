"""Differences between two trees of JSON values."""

from trainer.differences import differences


def test_each_difference_is_described_with_both_values() -> None:
    """Nested keys have a path; missing and unknown keys are listed; long texts are shortened."""
    was = {"recipe": {"hidden": 20, "batch": 8, "old": 1}, "data": "a" * 64, "same": [1, 2]}
    now = {"recipe": {"hidden": 40, "batch": 8, "knob": ""}, "data": "b" * 64, "same": [1, 2]}
    assert differences(was, now) == [
        "recipe.hidden 20, not 40",
        "recipe.knob is missing, but now is ''",
        "recipe.old 1, which is unknown here",
        "data 'aaaaaaaaaaaa..', not 'bbbbbbbbbbbb..'",
    ]
