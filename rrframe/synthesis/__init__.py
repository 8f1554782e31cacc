"""Synthesis: from clean photographs to shards of pairs."""
