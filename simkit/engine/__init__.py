"""One file per arrow of the pipeline."""
