"""What a service is, as values: for peers, the local socket, files and programs alike."""
