"""What a frame means: features, MULDE energies and one score per frame. Knows no camera and no clock."""
