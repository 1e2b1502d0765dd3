"""The run's own control API: a pipeline's tasks, and whoever watches a run, ask it by HTTP.

`server` serves it, `api` has the routes, `guard` says who may ask, `connections` how long a client may take.
"""
