"""Between sockets and handlers: listeners, connections, requests, replies, who may ask."""
