"""Records a pedal or amp through the audio interface, one take per setting of its knobs.

The modules:

    signal         the signal to play: clicks, sweeps, noise and playing
    measure        checks a take: latency, level, noise and polarity
    session        records takes and writes them to a data set folder
"""
