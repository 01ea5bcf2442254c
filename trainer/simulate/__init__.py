"""Generates data sets of dry and wet recordings by simulating circuits with ngspice.

The modules:

    circuit        reads netlists with their titles and knobs
    circuits/      the included netlists
    strings        synthesises guitar playing as an input
    spice          runs ngspice
    build          simulates a data set in pieces
"""
