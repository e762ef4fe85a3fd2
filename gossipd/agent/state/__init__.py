"""What outlives the process: snapshot, keys and tags, and how a restart uses them."""
