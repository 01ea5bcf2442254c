"""Layouts for programs with faders and buttons, made from the table of parameters.

pages        what stands on which page, whatever the program is
touchosc     a file for TouchOSC; only this module imports py2tosc
"""
