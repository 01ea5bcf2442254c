"""Generates data sets of dry and wet recordings by simulating circuits with ngspice."""
