"""Commands for a look at the whole: ``top``, and ``debug bundle``."""
