"""Whom to join: addresses, names and the local link, at start and for as long as it takes."""
