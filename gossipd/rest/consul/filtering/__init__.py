"""The language of ``?filter=`` (consul-http.md, section 7)."""
