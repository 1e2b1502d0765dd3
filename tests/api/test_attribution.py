"""Who said no, at any moment: 200 of the trials that `bench.attribution` makes 2,000 of."""

import pytest

from tests.api.trials import draw, judge

TRIALS = 200
DEMANDED = 0.99


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_right_one_is_named() -> None:
    judged = judge(draw(seed=5, trials=TRIALS))
    assert len(judged) == TRIALS
    wrong = [
        f"{one.trial.fault.name}, {one.trial.operation} at {one.trial.moment:.3f} s: {one.told} {one.words}"
        for one in judged
        if not one.right
    ]
    assert len(wrong) <= (1 - DEMANDED) * TRIALS, "\n".join(wrong)


def test_a_seed_draws_the_same() -> None:
    assert draw(7, 50) == draw(7, 50)
    assert draw(7, 50) != draw(8, 50)
