"""Which instance to ask next: policies and their safety nets, without I/O."""
