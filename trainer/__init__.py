"""Trains models that nemod plays: recordings and a recipe in, a model file out.

The packages, in the order in which a model passes through them:

    data/          reads, checks, aligns and splits dry and wet recordings
    capture/       records a pedal or amp through the audio interface
    simulate/      generates recordings by simulating a circuit with ngspice
    learn/         trains a network on a data set and exports it
    study/         searches hyperparameters and reports on many runs
    cli/           the commands of `nemod-train`

Beside them:

    __main__       the entry point of `nemod-train` and of `python -m trainer`
    differences    describes how two settings files differ
    xla            flags of the XLA compiler for training
"""
