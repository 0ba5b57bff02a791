"""How a watch is: over HTTP, as metrics, and for the command line."""
