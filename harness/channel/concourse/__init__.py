"""A Concourse job whose build ends the run: `concourse+https://ci/teams/T/pipelines/P/jobs/J?version=…`.

`job` reads the URL, `look` and `watch` decide, `steps` makes marks of a build's events, `atc` and `login` ask, and
`watcher` drives them. The pipeline needs to know nothing of it.
"""

from harness.channel.concourse.watcher import Watcher

__all__ = ["Watcher"]
