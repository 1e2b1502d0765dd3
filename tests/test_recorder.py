"""What the recorder tells of silences that begin with a late tick of ours."""

from itertools import pairwise

import pytest

from harness.recorder import Recorder


def test_lateness_of_ours_at_a_silence_s_beginning_is_ours() -> None:
    """The loop came to the tick four seconds late; the target then took half a second."""
    recorder = Recorder()
    recorder.pause(1.01, 5.0)
    recorder.reached(1.0, 5.0)
    recorder.good(1.0, 5.0, 5.0, 5.5, 5.5, 0.0, 200, "192.0.2.1:443", False)
    frame = recorder.frame(at=6.0, reached=1, waiting=[], in_flight=[])
    (silence,) = frame.silences
    assert (silence.begin, silence.end) == (1.0, 5.5)
    assert silence.paused == pytest.approx(4.0)


def test_a_silence_begins_no_earlier_than_the_answer_before_it() -> None:
    """The next tick was due while the last answer was still awaited, and was reached after it: two silences that only
    touch, however often that happens."""
    recorder = Recorder()
    for tick in range(30):
        intended = tick / 10
        recorder.reached(intended, intended + 0.002)
        recorder.good(intended, intended, intended, 0.0, intended + 0.101, 0.0, 200, "192.0.2.1:443", False)
    silences = recorder.frame(at=6.0, reached=30, waiting=[], in_flight=[]).silences
    assert len(silences) == 30
    assert all(after.begin >= before.end for before, after in pairwise(silences))
