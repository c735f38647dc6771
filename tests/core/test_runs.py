import numpy as np
import pytest

from wardround.core.runs import first_of_each


@pytest.mark.parametrize("numbers", [[], [0], [7, 7, 7], [0, 1, 2], [-1, -1, 0, 3, 3, 9]])
def test_a_run_begins_wherever_the_number_before_is_another(numbers: list[int]) -> None:
    begins = [place for place, number in enumerate(numbers) if place == 0 or numbers[place - 1] != number]
    assert first_of_each(np.array(numbers, dtype=np.int64)).tolist() == begins
