"""The learning rate, from how much of the run is done and how validation goes."""

import math

from trainer.learn.recipe import Recipe


def learning_rate(recipe: Recipe, done: float, halvings: int) -> float:
    """Return the rate of an epoch that begins when `done` (0 to 1) of the run is over.

    `cosine` falls from the full rate to the least along half a period (I. Loshchilov and F.
    Hutter, "SGDR", 2017, without restarts). `plateau` is halved as often as validation stood still.
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
    """Return how much of the run is over: the share of its epochs or, with a limit, of its time."""
    return seconds / (60.0 * recipe.minutes) if recipe.minutes else epoch / recipe.epochs
