"""What keeps the review page from being served or an alert from being judged, in a line for the user."""


class ReviewError(Exception):
    """The message says what, where and the way out."""
