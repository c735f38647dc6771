"""What is compared shows its difference."""

import pytest

pytest.register_assert_rewrite("tests.readers.three")
