"""``gossipd simulate papers``: published results beside what the code of the daemon does.

``figure.py`` is one published figure with ours, ``recipe.py`` what an
experiment is, ``recipes.py`` lists all of them, ``campaign.py`` runs them,
``book.py`` writes what came of it. Every other file holds the recipes of one
subject, or what these stand on.
"""
