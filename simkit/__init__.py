"""simkit: declared experiments in microscopy, simulated, picked and honestly judged."""
