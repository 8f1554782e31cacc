"""Blur: a module for each thing that spreads light."""
