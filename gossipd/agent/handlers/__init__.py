"""What applications are told, and the scripts that are run on events."""
