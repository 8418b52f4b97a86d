"""A check that stands once for several tests shows its values when it fails, as it would in a test."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.property.way_back_checks")
