"""Cards: what exists in the world (weights, data, benchmarks), where, and under which licence."""
