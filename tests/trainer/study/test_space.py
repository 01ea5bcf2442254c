"""The search space of a sweep."""

import optuna
import pytest

from nemod.common.errors import ConfigError
from trainer.learn.recipe import Recipe
from trainer.study.space import Range, Space, sampler, suggested

BASE = Recipe(pre_emphasis="none", epochs=3)


def test_a_point_of_the_space_becomes_a_recurrent_recipe() -> None:
    """Other fields are those of the base recipe."""
    point = {"learning_rate": 0.002, "batch": 32, "hidden": 24, "layers": 2}
    recipe = suggested(optuna.trial.FixedTrial(point), Space(), "lstm", BASE)
    expected = Recipe(
        arch="lstm", learning_rate=0.002, batch=32, hidden=24, layers=2,
        pre_emphasis="none", epochs=3,
    )  # fmt: skip
    assert expected == recipe


def test_layers_of_a_cnn_double_their_dilation() -> None:
    """Four layers have dilations 1, 2, 4 and 8."""
    point = {"learning_rate": 0.002, "batch": 16, "hidden": 12, "layers": 4}
    recipe = suggested(optuna.trial.FixedTrial(point), Space(), "cnn", BASE)
    assert (recipe.arch, recipe.channels, recipe.dilations) == ("cnn", 12, (1, 2, 4, 8))


def test_a_range_ends_at_its_last_whole_step() -> None:
    """From 4 to 10 in steps of 4 there are 4 and 8."""
    space = Space(hidden=Range(low=4, high=10, step=4), layers=Range(low=1, high=1))
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    sizes = {suggested(study.ask(), space, "gru", BASE).hidden for _ in range(20)}
    assert {4, 8} == sizes


def test_all_invalid_ranges_are_reported_at_once() -> None:
    """In one error."""
    with pytest.raises(ConfigError) as caught:
        Space(learning_rate=(0.1, 0.01), batch=(), layers=Range(low=2, high=1))
    assert len(caught.value.problems) == 3


def test_one_seed_gives_one_search() -> None:
    """The random trials and later ones; another seed gives other points."""

    def searched(seed: int) -> list[Recipe]:
        study = optuna.create_study(sampler=sampler(seed, 2))
        recipes = []
        for _ in range(5):
            trial = study.ask()
            recipes.append(suggested(trial, Space(), "gru", BASE))
            study.tell(trial, recipes[-1].learning_rate)
        return recipes

    assert searched(1) == searched(1)
    assert searched(1) != searched(2)
