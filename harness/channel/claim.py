"""How a run becomes the one that a channel's pipeline meets: the next attempt is claimed, and all older runs are
superseded. Of many that race for one attempt exactly one gets it.
"""

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import msgspec

import harness
from harness.channel import layout
from harness.channel.alive import Watch
from harness.channel.pipeline import StorePipeline
from harness.channel.process import is_here, this_process
from harness.channel.records import FRESH_ID, Ended, Owner, Turn, decode, encode
from harness.channel.store import ChannelError, SilentError, Store
from harness.errors import HarnessError

_PATIENCE = 30.0  # seconds for which a channel that does not answer is asked again before anything begins
_AGAIN = 1.0  # seconds between two questions
_TURNS_SINCE = 100  # more turns than others can take while we ask again


class TakenError(ChannelError):
    """Somebody else watches as this run already."""

    def __init__(self, owner: Owner | None, text: str) -> None:
        super().__init__(text)
        self.owner = owner


@dataclass(frozen=True)
class Claim:
    """An attempt that is ours."""

    store: Store
    owner: Owner
    turn: str  # its key: a later one supersedes us

    @property
    def run(self) -> str:
        """The run's id."""
        return self.owner.run

    @property
    def attempt(self) -> int:
        """Its number, from 1."""
        return self.owner.attempt


def claim(store: Store, run: str, *, floor: int, target: str, log: str = "", folder: str = "") -> Claim:
    """Own the run's next attempt, at least the `floor`th. Raises TakenError while another process conducts the run, and
    ChannelError."""
    process = this_process()
    owner = Owner(
        run=run,
        attempt=floor,
        id=secrets.token_hex(FRESH_ID // 2),
        at=time.time(),
        host=process.host,
        pid=process.pid,
        boot=process.boot,
        namespace=process.namespace,
        version=harness.__version__,
        target=without_secrets(target),
        log=log,
        folder=folder,
    )
    try:
        return _patiently(store, owner)
    except HarnessError as error:  # a signal, say, between the claim and its turn
        _withdraw(store, owner, error)
        raise


def _patiently(store: Store, owner: Owner) -> Claim:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return _claim(store, owner)
        except SilentError as error:
            if time.monotonic() > end:
                raise ChannelError(f"{error}; nothing was started") from error
            time.sleep(_AGAIN)


def _withdraw(store: Store, owner: Owner, error: HarnessError) -> None:
    """An attempt that is ours already, and comes to nothing, says so: else it would count as one that died."""
    pipeline = StorePipeline(store)
    with suppress(ChannelError):
        for attempt in pipeline.attempts(owner.run)[-1:]:
            state = pipeline.look(owner.run, attempt)
            if state.ended is None and state.owner is not None and state.owner.id == owner.id:
                outcome = "never_ready" if error.exit_code == 4 else "refused"
                over = Ended(outcome=outcome, exit_code=error.exit_code, at=time.time(), reasons=[str(error)])
                store.create(layout.of_attempt(owner.run, attempt, "ended.json"), encode(over))


def _claim(store: Store, owner: Owner) -> Claim:
    """Attempts are taken in order, also those below the floor: else two starters with other floors would own one each,
    at once."""
    pipeline = StorePipeline(store)
    while True:
        attempts = pipeline.attempts(owner.run)
        attempt = attempts[-1] + 1 if attempts else 1
        mine = _claimed_before(pipeline, owner, attempts[-1]) if attempts else None
        if mine is not None:
            turn = _turn_taken(store, owner)
        else:
            turn = None
            mine = msgspec.structs.replace(owner, attempt=attempt)
            if not store.create(layout.of_attempt(owner.run, attempt, "owner.json"), encode(mine)):
                continue
        if mine.attempt < owner.attempt:
            why = [f"passed over: the starter's folder of runs had {owner.attempt - 1} attempts already"]
            over = Ended(outcome="refused", exit_code=2, at=owner.at, reasons=why)
            store.create(layout.of_attempt(owner.run, mine.attempt, "ended.json"), encode(over))
            continue
        return Claim(store, mine, turn or _take_turn(store, mine))


def _claimed_before(pipeline: StorePipeline, owner: Owner, attempt: int) -> Owner | None:
    """Its owner, if that is us, by a try whose answer was lost; None if it is over. One that may have died is watched
    until that is known. Raises TakenError while somebody else conducts it."""
    watch = Watch()
    while True:
        state = pipeline.look(owner.run, attempt)
        if state.ended is not None:
            return None
        if state.owner is not None and state.owner.id == owner.id:
            return state.owner
        dead = watch.is_dead(state, time.monotonic(), time.time())
        if dead:
            return None
        if watch.moved or (state.process is not None and is_here(state.process)):
            where = f" by process {state.owner.pid} on {state.owner.host}" if state.owner is not None else ""
            raise TakenError(
                state.owner,
                f"the run {owner.run} is being watched already{where} (attempt {attempt}): stop it first "
                f"(cf-harness stop --channel {pipeline.name} --run-id {owner.run}), or give another --run-id",
            )
        time.sleep(_AGAIN)


def _turn_taken(store: Store, owner: Owner) -> str | None:
    """The turn that a try whose answer was lost took for us: a second one would supersede whoever came in between."""
    for key in reversed(store.list(layout.TURNS)[-_TURNS_SINCE:]):
        turn = decode(store.get(key), Turn)
        if turn is not None and turn.owner == owner.id:
            return key
    return None


def _take_turn(store: Store, owner: Owner) -> str:
    turn = Turn(run=owner.run, attempt=owner.attempt, owner=owner.id, at=owner.at)
    number = max((layout.turn_number(key) for key in store.list(layout.TURNS)), default=0) + 1
    while not store.create(layout.turn(number), encode(turn)):
        number += 1
    return layout.turn(number)


def without_secrets(target: str) -> str:
    """A plan's file as it is; a URL without a password or a query."""
    if "://" not in target:
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        return "a URL"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
