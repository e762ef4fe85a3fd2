"""The agent's part in services: those of its files, checks that it runs, what it keeps."""
