"""How fast a job is watched, and how long things are waited for. Seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """The default is what runs have; tests are in a hurry."""

    look: float = 2.0  # between two looks at the job's builds
    answer: float = 10.0  # for one answer
    quiet: float = 90.0  # after which an event stream is begun anew: Concourse sends nothing to keep one alive
    again: float = 2.0  # before Concourse is asked again that did not answer, doubled each time …
    again_at_most: float = 15.0  # … up to this
    remark: float = 30.0  # of silence before that is remarked on: an ATC that is redeployed may be away for less
    newer: float = 60.0  # in which a newer build may follow one that was over before the run began
    none: float = 600.0  # without any build of the version, after which that is told: it may be a typing error
    pipeline: float = 30.0  # between two looks at the pipeline while no build of the version runs
    last_events: float = 2.0  # that the ends of the last steps get before the stop
