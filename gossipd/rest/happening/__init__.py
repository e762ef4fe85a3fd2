"""What happened and why, for the timeline and the stream of events."""
