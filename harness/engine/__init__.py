"""The open-loop HTTP/1.1 engine: resolver, dialer, connection, pool, metronome. Own code, because this is what the
project exists for; everything under it is a library (uvloop, httptools, ssl). Started by `harness.worker`."""
