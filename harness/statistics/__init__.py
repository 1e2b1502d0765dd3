"""What the journal holds, made into figures: one incremental fold (`ledger`), and pure functions over what it gathered.

Nothing here reads a file or a clock. `harness.judge` calls all of it; the conductor and the live view read the ledger.
"""
