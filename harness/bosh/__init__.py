"""What BOSH updated, and when: read from what its CLI prints, and placed on this machine's clock. Pure.

`events` reads, `offset` places.
"""
