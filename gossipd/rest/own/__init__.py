"""Our own endpoints under ``/v1/gossipd/``."""
