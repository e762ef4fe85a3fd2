"""The DNS face: names of services and nodes as Consul has them."""
