"""Feedback: sends clients what changes in the rig, whoever changed it.

feedback    events in, packets out
sources     which addresses an event changes; when meters and status are due
coverage    the addresses that a subscriber is sent
leases      who is sent what, and for how long
pacing      how often, and how much in all
"""
