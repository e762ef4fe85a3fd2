"""Services on real daemons: how soon all know of one, and what asking and watching costs."""
