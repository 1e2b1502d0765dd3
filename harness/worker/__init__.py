"""The data plane's process: reads one spec, keeps its schedule, writes frames. `python -m harness.worker < spec.json`.

It knows no disk, no server and no objective, and imports nothing of the control plane.
"""
