"""Computes the learning rate from the progress of the run and its validation losses."""

import math

from trainer.learn.recipe import Recipe


def learning_rate(recipe: Recipe, done: float, halvings: int) -> float:
    """Return the learning rate of an epoch that starts after a share of `done` (0 to 1) of the run.

    `cosine` falls from the full to the lowest rate along half a period (I. Loshchilov and F.
    Hutter, "SGDR", 2017, without restarts). `plateau` is halved `halvings` times.
    """
    least = recipe.learning_rate * recipe.final_rate
    ramp = min(1.0, (done + 1e-3) / recipe.ramp) if recipe.ramp else 1.0
    if recipe.schedule == "cosine":
        wave = 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        return ramp * (least + (recipe.learning_rate - least) * wave)
    if recipe.schedule == "plateau":
        return ramp * max(least, recipe.learning_rate * 0.5**halvings)
    return ramp * recipe.learning_rate


def done(recipe: Recipe, epoch: int, seconds: float) -> float:
    """Return the completed share of the run: of its epochs or, with a time limit, of its time."""
    return seconds / (60.0 * recipe.minutes) if recipe.minutes else epoch / recipe.epochs
