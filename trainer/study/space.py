"""`Space`: the ranges of hyperparameters that a sweep searches."""

from dataclasses import asdict, dataclass, replace

import optuna

from nemod.common.errors import ConfigError
from trainer.learn.recipe import ARCHITECTURES, Recipe

MAX_CNN_LAYERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Whole numbers from `low` to `high` in steps of `step`."""

    low: int
    high: int
    step: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The search space of a sweep."""

    learning_rate: tuple[float, float] = (5e-4, 2e-2)
    """Lowest and highest; sampled on a logarithmic scale."""
    batch: tuple[int, ...] = (16, 32, 64)
    hidden: Range = Range(low=8, high=64, step=8)
    """Units of LSTM and GRU."""
    layers: Range = Range(low=1, high=2)
    """Layers of LSTM and GRU."""
    channels: Range = Range(low=4, high=32, step=4)
    """Channels of the CNN."""
    cnn_layers: Range = Range(low=1, high=10)
    """Layers of the CNN; each doubles the dilation of the previous one."""

    def __post_init__(self) -> None:
        """Raise ConfigError with all invalid ranges."""
        problems = []
        low, high = self.learning_rate
        if not 0.0 < low <= high <= 10.0:
            problems.append(f"learning rate {low:g}:{high:g}, expected 0 < LOW <= HIGH <= 10")
        if not self.batch or any(not 1 <= size <= 65_536 for size in self.batch):
            problems.append(f"batch {self.batch}, expected sizes from 1 to 65536")
        for name, most in (
            ("hidden", 1024),
            ("layers", 16),
            ("channels", 1024),
            ("cnn_layers", MAX_CNN_LAYERS),
        ):
            span = getattr(self, name)
            if not 1 <= span.low <= span.high <= most or span.step < 1:
                problems.append(
                    f"{name} {span.low}:{span.high}:{span.step}, expected 1 to {most} with "
                    "LOW <= HIGH and a step from 1"
                )
        if problems:
            raise ConfigError("search space", problems)

    def to_json(self) -> dict[str, object]:
        """Return the space as JSON values."""
        plain: dict[str, object] = asdict(self)
        return plain | {"learning_rate": list(self.learning_rate), "batch": list(self.batch)}


def suggested(trial: optuna.trial.BaseTrial, space: Space, arch: str, base: Recipe) -> Recipe:
    """Return the recipe of a trial; parameters that are not searched are those of `base`."""
    assert arch in ARCHITECTURES
    low, high = space.learning_rate
    recipe = replace(
        base,
        arch=arch,
        learning_rate=float(trial.suggest_float("learning_rate", low, high, log=True)),
        batch=int(trial.suggest_categorical("batch", space.batch)),
    )
    if arch == "cnn":
        layers = _whole(trial, "layers", space.cnn_layers)
        return replace(
            recipe,
            channels=_whole(trial, "hidden", space.channels),
            dilations=tuple(2**layer for layer in range(layers)),
        )
    hidden, layers = _whole(trial, "hidden", space.hidden), _whole(trial, "layers", space.layers)
    return replace(recipe, hidden=hidden, layers=layers)


def _whole(trial: optuna.trial.BaseTrial, name: str, span: Range) -> int:
    high = span.low + (span.high - span.low) // span.step * span.step
    return int(trial.suggest_int(name, span.low, high, step=span.step))


def sampler(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    """Return a tree-structured Parzen estimator that starts with `startup` random trials.

    J. Bergstra et al., "Algorithms for hyper-parameter optimization", 2011.
    """
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)
