"""YAML and JSON text into typed values: the catalogue, images.yaml, settings. Every problem at once, with its place."""
