"""Ranking of labelled test videos by a detector that learned the training ones."""
