"""The sink: scores in, alerts out, kept with their evidence and history."""
