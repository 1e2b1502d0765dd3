"""Where a pipeline's tasks meet a run: readiness, marks, the stop request, the verdict.

`records` are the values that are exchanged, `layout` says under which keys, `store` what a carrier must do; `presence`
is the run's side, `pipeline` the tasks' side, and `address` chooses the carrier by its URL.
"""
