"""Under which keys a channel keeps what. Pure.

turns/000000000042.json                    which attempt is the newest: the highest number
runs/RUN/ATTEMPT/owner.json                who conducts it
runs/RUN/ATTEMPT/pulse.json                that it is alive
runs/RUN/ATTEMPT/marks/….json              what the pipeline marked
runs/RUN/ATTEMPT/stop.json                 that it is to stop
runs/RUN/ATTEMPT/reports/verdict.json …    its reports
runs/RUN/ATTEMPT/ended.json                that it is over
runs/RUN/accepted/….json                   who lets it pass all the same
"""

from collections.abc import Iterable

TURNS = "turns/"


def turn(number: int) -> str:
    """The key of a turn; in order of its number."""
    return f"{TURNS}{number:012d}.json"


def turn_number(key: str) -> int:
    """The number of a turn's key; 0 where it is none."""
    digits = key.removeprefix(TURNS).removesuffix(".json")
    return int(digits) if digits.isdecimal() else 0


def of_run(run: str) -> str:
    """What all keys of a run begin with."""
    return f"runs/{run}/"


def of_attempt(run: str, attempt: int, name: str) -> str:
    """A key of one attempt: `owner.json`, `pulse.json`, `stop.json`, `ended.json`."""
    return f"runs/{run}/{attempt}/{name}"


def marks(run: str, attempt: int) -> str:
    """What the keys of an attempt's marks begin with."""
    return f"runs/{run}/{attempt}/marks/"


def report(run: str, attempt: int, file: str) -> str:
    """The key of a report, by its file's name."""
    return f"runs/{run}/{attempt}/reports/{file}"


def accepted(run: str) -> str:
    """What the keys of a run's acceptances begin with."""
    return f"runs/{run}/accepted/"


def attempts_of(run: str, keys: Iterable[str]) -> list[int]:
    """The attempts that somebody owned, by the keys of a run."""
    parts = (key.removeprefix(of_run(run)).split("/") for key in keys)
    return sorted(int(part[0]) for part in parts if len(part) == 2 and part[1] == "owner.json" and part[0].isdecimal())
