"""Whether this machine can do what a watch asks of it: one finding for each thing that could stand in the way."""
