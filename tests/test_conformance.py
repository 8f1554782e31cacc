"""Every component in the tree obeys the laws of its kind."""

from __future__ import annotations

from rrframe.testing import conformance

test_conformance = conformance("rrframe")
