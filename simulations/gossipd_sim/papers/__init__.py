"""``gossipd simulate papers``: published results beside what the code of the daemon does.

``figure.py`` is one published figure with ours, ``recipe.py`` what an
experiment is, ``recipes.py`` lists all of them, ``campaign.py`` runs them,
``book.py`` writes what came of it. Every other file holds the recipes of one
subject. Sources, bands and recipe numbers are those of the section of
``docs/papers.md`` that they end in.
"""
