"""Noise: a module for each place that it comes from.

What a sensor does is done to every pixel, so its noise does not grow with the picture: the same setting looks finer
at 4096 px than at 512 px, as it does in photographs. Film grain is a thing on the film, and its size is a share of
the picture's.
"""
