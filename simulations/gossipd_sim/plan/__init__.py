"""``gossipd simulate plan``: settings that meet a wish, and what they are worth.

``wish.py`` is what is asked for, ``settings.py`` what can be recommended,
``forecast.py`` what formulas expect of it; ``rehearsal.py`` measures it on the
simulator, ``search.py`` decides what is worth measuring, ``advice.py`` says what
came of it.
"""
