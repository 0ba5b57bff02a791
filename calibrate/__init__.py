"""What normal means at a camera: footage, learned densities, the threshold and a report. Writes the bundle."""
