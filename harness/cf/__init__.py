"""Calls a Cloud Foundry API as its users' command line does, and says what each answer means and who gave it.

`cloudfoundry-client` under a transport of our own (decision 13). `session` is the door for traffic, `preflight` for
what is asked before it. Nothing here knows of schedules, workers, plans or runs.
"""
