"""Moire: pictures photographed off a screen."""
