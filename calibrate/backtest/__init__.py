"""Recorded footage through what runs live, and what it would have raised."""
