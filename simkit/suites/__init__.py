"""Suites: what is expected of pickers in many scenarios, held on every change."""
