"""Reads, checks, aligns and splits dry and wet recordings.

From files to a data set, in this order:

    layouts        folder, manifest or GuitarML configuration -> `Plan`
    manifest       parses and validates a manifest
    plan           `Plan`: files, knobs and the split, before any sound is read
    files          paths that exist, whatever their Unicode form
    wav            reads and resamples WAV files
    takes          `Plan` -> `Take`: a dry and a wet signal, not yet aligned
    continuity     cuts or reports takes whose latency jumps
    examine        runs all checks of the sound and aligns the takes
    split          takes -> training, validation and test pairs
    cut            positions at which one recording is cut in three
    dataset        `Dataset` and `Pair`, what training uses
    load           `load_dataset`: all of the above
    check          `check_data`: the same, as a report

Measurements:

    align          latency, polarity and clock drift
    tracking       latency over time
    jumps          jumps of the latency
    levels         clipping, silence, noise and hum of one signal
    relate         coherence, echoes and dynamics between dry and wet
    overlap        copies of training data in validation or test
    prediction     how much of wet a linear filter predicts

Messages and output:

    fault_table    every fault with its message, effect and remedy
    faults         `Finding`: a fault at a place, with its figures
    reference      the table of faults in the documentation
    folder         writes data set folders without overwriting others
"""
