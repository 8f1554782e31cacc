"""Restoring with image editors: diffusion transformers that are told in words what to do to a picture."""
