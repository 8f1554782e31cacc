"""Image primitives with a fast CPU path (OpenCV on a zero-copy view) and a batched torch path.

Speed lives here, once.
"""
