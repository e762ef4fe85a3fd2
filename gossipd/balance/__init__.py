"""Which instance to ask next: policies and their safety nets, without I/O.

Everything is told the time and given its chance; ``client/balancing.py`` and
``client/aio_balancing.py`` bring clock, lock and the watch that tells of instances.
"""
