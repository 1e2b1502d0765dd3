"""`concourse+https://ci/teams/T/pipelines/P/jobs/J?version=V`: a job that knows nothing of us is watched, and its end
is the run's stop.

`place` reads the URL, `access` and `atc` ask Concourse's API, `builds` and `steps` say what its answers mean, `watcher`
puts them together.
"""
