"""Presets: sounds that are kept in files, by number and name.

preset      what a preset holds
"""
