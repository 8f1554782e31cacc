"""Rain: streaks, splashes, the veil of drops too far to be seen, drops on the lens, and all of them together."""
