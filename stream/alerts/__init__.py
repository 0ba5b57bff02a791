"""The commands about alerts that were kept."""
