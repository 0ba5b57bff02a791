"""What a source is, delivers and costs here, and what suits it."""
