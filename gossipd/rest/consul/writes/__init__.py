"""Writes in Consul's words: bodies, definitions, and the handlers of each path."""
