"""A scenario among real processes on this machine's loopback, measured as the simulated one.

``programs.py`` knows how agents are called, ``process.py`` starts and ends
them, ``plan.py`` says what of a scenario processes can do, ``run.py`` does it
in real time, and ``comparison.py`` puts the figures side by side.
"""
