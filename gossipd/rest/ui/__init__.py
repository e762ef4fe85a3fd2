"""The page for browsers, and its parts."""
