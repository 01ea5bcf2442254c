"""The tuner: the pitch of a string, from blocks of the instrument's signal.

tuner        what a display shows: note, cents, Hz, twenty times a second
notes        names of notes, for any reference pitch
estimator    one estimate of the pitch: gates, period, partials
period       the period of the sound, by autocorrelation
partials     frequencies of the partials, and the string that they belong to
decimator    the signal at a rate that is low enough to analyse cheaply

Needs numpy only, and neither a device nor a process: the same code runs on recordings.
"""
