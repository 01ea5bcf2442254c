"""nemod: a headless neural guitar rig.

    nemod.load_model(path) -> Model       read a model file of any supported format
    nemod.save_model(model, path)         write GuitarML's JSON, which other players read
    nemod.load_chain(path) -> chain       read a chain of models, cabinets and effects, or a preset
    nemod.render(model, samples, rate)    play an array through a rig, or through a chain, offline

The daemon and its commands are in `nemod.cli`.
"""

# Nothing is imported here at run time: every program imports this package before it can handle
# Ctrl-C (see nemod.common.entry), and the daemon does without jax.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nemod.builder.load_chain import load_chain
    from nemod.builder.offline import render
    from nemod.common.version import __version__
    from nemod.formats import load_model, save_model
    from nemod.formats.model import Model

__all__ = ["Model", "__version__", "load_chain", "load_model", "render", "save_model"]


def __getattr__(name: str) -> object:
    """Import one of the public names when it is first used."""
    if name == "render":
        from nemod.builder.offline import render

        return render
    if name == "load_chain":
        from nemod.builder.load_chain import load_chain

        return load_chain
    if name in ("load_model", "save_model"):
        from nemod import formats

        return getattr(formats, name)
    if name == "__version__":
        from nemod.common.version import __version__

        return __version__
    if name == "Model":
        from nemod.formats.model import Model

        return Model
    raise AttributeError(f"module 'nemod' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, whether they have been imported or not."""
    return sorted({*globals(), *__all__})
