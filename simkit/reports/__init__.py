"""Results → one HTML page. matplotlib is imported here only."""
