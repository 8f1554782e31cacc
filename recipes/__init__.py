"""Recipes that come with rrframe, each opening with the command that runs it."""
