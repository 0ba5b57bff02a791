"""The dashboard: all cameras, or one of them with its alerts, as pages in the terminal."""
