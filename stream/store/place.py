"""Where a store is, unless the configuration says otherwise."""

from pathlib import Path

import platformdirs

FOOTAGE = "footage"
"""Folder beside the store for what was kept of the pictures' features."""


def default_folder() -> Path:
    """Where alerts are kept."""
    return platformdirs.user_state_path("mulde-stream")
