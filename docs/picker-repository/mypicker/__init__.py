"""A particle picker."""
