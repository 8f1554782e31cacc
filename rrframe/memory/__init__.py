"""How much memory a backbone needs to restore and to be trained, before any of its weights are loaded."""
