"""Checkers: one file for each property that must hold in every run.

Most look at each event; ``rest`` looks when faults are over. A checker is
told of a run by ``inspector.py`` and complains in sentences.
"""
