"""The search machinery that pickers share."""
