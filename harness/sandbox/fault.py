"""A fault begins and ends by command, and the component itself logs when."""

import time

from harness.sandbox.front import Front
from harness.sandbox.truth import Truth
from harness.sandbox.wire import Command, Fault, Mend, Reply


async def obey_fault(front: Front, truth: Truth, name: str, command: Command) -> Reply:
    """Begin or end a fault at the front, and log its moment. Raises ValueError for another command."""
    if isinstance(command, Fault):
        await front.begin(command)
        return Reply(at=truth.note("fault_began", name, command.step, fault=command.kind))
    if isinstance(command, Mend):
        fault = front.fault
        await front.mend()
        at = truth.note("fault_ended", name, command.step, fault=fault.kind) if fault else time.monotonic()
        return Reply(at=at)
    raise ValueError(f"{name} knows no such command")
