"""What the recorder tells of silences that begin with a late tick of ours."""

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
