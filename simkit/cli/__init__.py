"""The command line: thin commands over the engine. Heavy imports live inside the commands."""
