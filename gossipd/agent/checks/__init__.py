"""Runs the checks of services that the daemon makes itself: HTTP, TCP and scripts."""
