"""The conformance kit: laws that every component obeys, checked on pictures that break careless code.

From pytest, a plugin adopts it in two lines:

```python
from rrframe.testing import conformance

test_conformance = conformance("rrframe-fog")
```
From the command line: ``rrframe check haze/scattering``, or ``rrframe check rrframe-fog`` for all that a plugin has.

``rrframe.testing.strategies`` has the pictures, severities and seeds for laws of your own.
"""

from __future__ import annotations

from rrframe.errors import RRFrameError

try:
    import hypothesis as _hypothesis  # noqa: F401
except ModuleNotFoundError:
    raise RRFrameError("the conformance kit needs hypothesis", hint="pip install 'rrframe[testing]'") from None

from rrframe.testing.checks import Broken, Check, NotApplicable, check
from rrframe.testing.report import Report
from rrframe.testing.subjects import Effort, Subject, subjects_named
from rrframe.testing.suites import checks_for
from rrframe.testing.trial import Outcome, Trial
from rrframe.testing.under_pytest import conformance

__all__ = [
    "Broken",
    "Check",
    "Effort",
    "NotApplicable",
    "Outcome",
    "Report",
    "Subject",
    "Trial",
    "check",
    "checks_for",
    "conformance",
    "subjects_named",
]
