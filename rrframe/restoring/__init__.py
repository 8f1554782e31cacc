"""Restoring photographs: what is given, with what, into which folder, and a page to look at."""
