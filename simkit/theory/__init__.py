"""Closed forms that need no simulation: what physics allows."""
