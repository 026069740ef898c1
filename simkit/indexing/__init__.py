"""Finding the lattice of an image: its spots, its cell, every site of it, and how sure that is."""
