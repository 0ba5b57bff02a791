"""Typed, validated configuration: the schema and the YAML files that come with the product."""
