"""Cards: what exists in the world (weights, data), where, under which licence, and how it is fetched and checked."""
