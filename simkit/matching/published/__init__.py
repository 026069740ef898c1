"""What other programs' published rules say of the same picks, their defects included and named."""
