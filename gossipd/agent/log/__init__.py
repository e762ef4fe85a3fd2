"""What the agent logs: lines, their fields and forms, and where they go."""
