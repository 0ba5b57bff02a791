"""Feature families, one file each, and the network pictures are read through."""
