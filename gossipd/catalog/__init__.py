"""Services on top of membership: each node owns its records, all nodes hold all of them."""
