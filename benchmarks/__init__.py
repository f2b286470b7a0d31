"""Measurements against a reference: a script prints one JSON object a line; ``ratio`` above 1 means ours is better."""
