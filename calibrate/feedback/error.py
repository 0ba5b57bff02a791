"""Why an alert cannot be marked. Apart from marking itself, so that who tells of it needs no torch."""


class MarkingError(Exception):
    """An alert cannot be marked, no mark undone or nothing learned of it; the message says why and the way out."""
