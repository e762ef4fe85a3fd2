"""``gossipd template``: configuration of other programs, written from what the cluster knows."""
