"""Compression: files written and read again."""
