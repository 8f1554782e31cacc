"""Reflection: a second scene in a pane of glass before the first."""
