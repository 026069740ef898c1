"""Every outside file format, and the coordinate convention of each."""
