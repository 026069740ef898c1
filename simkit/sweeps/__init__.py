"""Many runs of one scenario: axes, cells, cache, executors, and one answer."""
