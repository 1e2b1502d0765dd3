"""What a step does to the platform: one function for each kind of action, all of them between a begin and an end."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import get_args

from harness.sandbox.member import SandboxError
from harness.sandbox.platform import Ended, Platform
from harness.sandbox.script import RULES, Step, members_of
from harness.sandbox.wire import Drain, Fault, FaultKind, Mend

_FAULTS: dict[str, FaultKind] = {kind: kind for kind in get_args(FaultKind)}


@contextlib.contextmanager
def performing(platform: Platform, step: Step) -> Iterator[None]:
    """The step's effect lasts as long as the block. Raises SandboxError."""
    names = members_of(step.target, platform.config.shape)
    with contextlib.ExitStack() as undo:
        if step.do == "restart":
            _each(names, lambda name: _restart(platform, step, name))
        elif step.do == "rolling_restart":
            _roll(platform, step, names)
        elif step.do == "start":
            _each(names, platform.start_member)
        elif step.do == "rotate_key":
            platform.rotate_key(step.label)
        elif step.do == "revoke_tokens":
            platform.revoke_tokens(step.label)
        else:
            for name in names:
                _harm(platform, step, name, undo)
        yield


def _harm(platform: Platform, step: Step, name: str, undo: contextlib.ExitStack) -> None:
    """What can be taken back is taken back at the block's end, in any case."""
    member = platform.members[name]
    if not member.alive:
        raise SandboxError(f"{name} is not running, so `{step.do}` can't befall it")
    if step.do == "kill":
        member.kill()
        platform.truth.note(f"{member.kind}_exited", name, step.label, code=-9)
        if step.lasts is not None:
            undo.callback(_unless_ended, platform, lambda: platform.start_member(name))
    elif step.do == "freeze":
        member.freeze()
        undo.callback(member.thaw)
    elif step.do == "unregister":
        platform.route(name, present=False, step=step.label)
        undo.callback(_unless_ended, platform, lambda: platform.route(name, present=True, step=step.label))
    else:
        member.tell(_fault(step))
        undo.callback(_unless_ended, platform, lambda: member.alive and member.tell(Mend(step=step.label)))


def _fault(step: Step) -> Fault:
    rule = RULES[step.do]
    return Fault(
        kind=_FAULTS[step.do],
        step=step.label,
        code=step.code or 0,
        error=step.error or next(iter(rule.errors), ""),
        delay=rule.by if step.by is None else step.by,
        certificate=step.certificate,
    )


def _restart(platform: Platform, step: Step, name: str) -> None:
    if platform.members[name].alive:
        cut = not step.drain
        platform.stop_member(
            name,
            Drain(wait=0.0 if cut else step.drain_wait, timeout=0.0 if cut else step.drain_timeout, step=step.label),
        )
    platform.pause(step.down)
    platform.start_member(name)


def _roll(platform: Platform, step: Step, names: tuple[str, ...]) -> None:
    if step.every is None:
        for name in names:
            _restart(platform, step, name)
        return
    every = step.every

    def one(name: str) -> None:
        platform.pause(every * names.index(name))
        _restart(platform, step, name)

    _each(names, one)


def _each(names: tuple[str, ...], act: Callable[[str], None]) -> None:
    """At the same time, in as many threads; the first thing that went wrong is raised when all are done."""
    if len(names) == 1:
        act(names[0])
        return
    wrong: list[Exception] = []

    def guarded(name: str) -> None:
        try:
            act(name)
        except (SandboxError, Ended) as error:
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(name,), name=f"sandbox {name}") for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def _unless_ended(platform: Platform, act: Callable[[], object]) -> None:
    if not platform.ending.is_set():
        act()
