"""Pairs on disk: tar shards, the manifests that commit them, and reading by offset."""
