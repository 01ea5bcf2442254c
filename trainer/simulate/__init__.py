"""Dry and wet recordings of circuits, made by ngspice: a pedal for those who have none."""
