"""Measurements against a reference: each script prints one JSON object a line, ``ratio`` above 1 meaning ours is better."""
