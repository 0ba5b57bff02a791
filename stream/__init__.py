"""What runs for ever: from a camera's packets to an alert on the screen, one process per concern."""
