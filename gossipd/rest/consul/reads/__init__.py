"""Reads in Consul's words: questions, held answers, and the handlers of each path."""
