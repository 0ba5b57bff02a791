"""What a calibration promises, in the terminal and as a page with pictures."""
