"""The HTTP face: Consul's discovery API, our own additions, metrics and the page."""
