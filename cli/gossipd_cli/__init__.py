"""The command ``gossipd``: start a daemon, and ask a running one."""
