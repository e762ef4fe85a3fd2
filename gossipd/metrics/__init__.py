"""Metrics as a user of Serf knows them: kept for a minute, sent to statsd and statsite."""
