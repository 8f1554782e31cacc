"""Flare: what a lens makes of light sources besides their image."""
