"""The run's own control API, `run --listen HOST:PORT`: how a pipeline's tasks ask and tell the run over HTTP.

`server` keeps the thread, `door` lets connections in, `admission` says who may ask, `routes` lists what can be asked
and `answers` answers it; `openapi` is the document. What is said is in `harness.channel.api`.
"""
