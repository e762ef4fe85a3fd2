"""The HTTP face of real daemons: replies a second, clients that wait, memory, random requests."""
