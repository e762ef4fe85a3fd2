"""What Consul's clients ask and are told, in their words (consul-http.md)."""
