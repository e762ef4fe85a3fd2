"""The simulator: the daemon's own ``Node`` on a virtual clock and a virtual network."""
