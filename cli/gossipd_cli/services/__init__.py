"""Commands about services: what runs where, registering, watching, running."""
