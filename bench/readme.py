"""Writes `bench/README.md` from `bench/figures/*.json`: what each item demands, its command, what was measured.

`python -m bench.readme`. Nothing is measured here, and nothing in the README is written by hand.
"""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.contender import FIGURES

_TOP = """# Measured

Everything here is written by `python -m bench.readme` from the figures in [figures/](figures), which the benches leave
there. `make bench` runs all of them, one after the other; each also runs alone, in `.venv` after `make .venv/.bench`.
All traffic stays on loopback. nginx, wrk and hey are Debian's (`scripts/install-debian-packages`).

How to read them: machines differ threefold, and so does one machine from hour to hour, so ratios taken in the same run
count, not rates. *Short* means that a figure misses what was demanded, and stands here all the same. A bench ends with
exit code 1 if one of its figures is short.
"""


class Item(NamedTuple):
    """One thing that must be shown."""

    name: str
    title: str
    command: str
    takes: str
    notes: str


ITEMS = (
    Item("rate", "1. Rate", "python -m bench.rate", "9 minutes, a quiet machine",
         "nginx has one worker on core 1; wrk with one thread and 64 connections, and all of the harness (conductor "
         "and journal too) take turns on core 0. W is wrk's rate just before each run; figures are medians. CPU per "
         "request is that of all processes between two moments of the run, divided by the rate. A run is void, by a "
         "rule stated beforehand, if the host stole more than 2 % of the machine, if others used more than 10 % of a "
         "core, or if the canary's median passed 5 ms; it is then repeated. Failures are counted from the first tick, "
         "also before readiness, so a cold start that a verdict leaves out counts."),
    Item("others", "2. Against the others", "python -m bench.others", "13 minutes, a quiet machine",
         "The same nginx, all tools pinned to the same core. Closed-loop tools (wrk, hey, Locust) get 64 connections "
         "and go as fast as they can; open-loop ones (k6, cf-harness) are searched by bisection for the highest rate "
         "with p99 <= 10 ms, at least 98 % of it achieved and at most 0.1 % dropped. Each tool's p99 is its own: ours "
         "counts from the intended start, theirs from the send. Memory is PSS of all processes."),
    Item("small", "3. Small", "python -m bench.small", "23 minutes, a quiet machine",
         "Conductor and worker together, without live view. Flat: the straight line through the last three quarters of "
         "20 minutes at 2,000/s, extended to an hour."),
    Item("location", "4. Location", "python -m bench.location", "7 minutes",
         "A target of its own process fails at random moments and stamps the truth; 20 faults in each run. Errors are "
         "told minus true, in milliseconds, the least and the most. What the virtual clock shows is in `tests/`."),
    Item("lost", "5. Nothing lost", "python -m bench.lost", "10 minutes",
         "Missing: from the newest tick whose end the journal knows to the kill, CLOCK_MONOTONIC. The moments are "
         "random from the one on at which the journal exists."),
    Item("overload", "6. Overload is ours", "python -m bench.overload", "4 minutes",
         "Asked for 1,000,000 requests a second, with 64 file descriptors, and with 20 ephemeral ports in a network "
         "namespace. A run that can't even settle its first seconds never becomes ready (exit 4), and says why."),
    Item("stop", "7. Stop", "python -m bench.stop", "5 minutes",
         "The target answers, stands still for 0.1 to 1.9 s, then TERM comes. An attempt may take 30 s."),
    Item("oracle", "9. The deterministic oracle", "python -m bench.oracle", "see its figures",
         "Scripted deployments on a virtual clock, with pauses of the harness, through the real engine, worker and "
         "conductor code."),
    Item("attribution", "10. Attribution on the API", "python -m bench.attribution", "5 minutes",
         "Random trials (operation, fault, moment) of the API's client against the sandbox, faults and right answers "
         "as in docs/api-faults.md. One that names nobody though the evidence was there is wrong, and so is a guess "
         "that is wrong. Besides, all operations at 2/s in one run while Diego's BBS stands still for a minute."),
    Item("tokens", "11. Tokens of the API", "python -m bench.tokens", "7 minutes",
         "Eight sessions, 20 operations a second in all, access tokens that live for 5 s, refresh tokens that rotate; "
         "then UAA is away for 30 s."),
    Item("api_stop", "12. Stop with every call stalled", "python -m bench.api_stop", "3 minutes",
         "The API answers nothing any more, an operation may take 60 s, then TERM comes."),
    Item("api", "13. Cost of watching the API", "python -m bench.api", "20 minutes",
         "20 operations a second in all against the sandbox; CPU and memory of conductor and worker, not the "
         "sandbox's. Flat as in 3."),
    Item("signals", "14. Each CI system's way of killing", "python -m bench.signals", "35 minutes",
         "A run with a file:// channel, started through the shell that the system uses; the target stands still for "
         "0.1 to 1.9 s, then the job is aborted: Concourse TERM to the leader of the process group, KILL after 10 s; "
         "GitHub INT, after 7.5 s TERM, after 10 s KILL; GitLab TERM to the script's shell, Jenkins TERM to every "
         "process, and KILL after 10 s, which is the least that they give. A shell that neither execs the harness nor "
         "passes its signals on keeps them to itself: such a run dies unheard, and the gate stays shut (exit 3)."),
    Item("channel", "15. A channel in trouble", "python -m bench.channel", "6 minutes",
         "nginx watched at 1,000/s while the run's bucket (moto's S3 server) delays, refuses, throttles, drops, "
         "duplicates requests, is away (connections break) or silent (nothing comes); then stops that are asked for "
         "while it is away or silent."),
)  # fmt: skip

_BAD_INPUT = """## 8. Bad input

`pytest tests/cli tests/plan tests/engine` (part of `make test`): what is demanded has no figures, only right and wrong.
"""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _claims(figures: dict[str, Any]) -> str:
    rows = [
        (claim["what"], claim["demanded"], claim["measured"], "yes" if claim["holds"] else "**short**")
        for claim in figures["claims"]
    ]
    return _table(("what", "demanded", "measured", "shown"), rows)


def _rate(figures: dict[str, Any]) -> str:
    rows = []
    for name, series in figures["series"].items():
        medians = series["medians"]
        if medians:
            rows.append(
                (
                    name, f"{medians['w']:,.0f}/s", f"{medians['lag_p99_ms']:.2f} ms", f"{medians['cpu_us']:.1f} µs",
                    f"{medians['cpu_ratio_to_wrk']:.2f}", f"{medians['worker_rss_mb']:.0f} MB", str(series["void"]),
                )
            )  # fmt: skip
    return _table(("run", "W", "p99 lag", "CPU a request", "x wrk's", "worker", "void"), rows)


def _others(figures: dict[str, Any]) -> str:
    rows = []
    for kind, tools in figures["medians"].items():
        for name, row in tools.items():
            ratio = figures["ratios"][kind][name]
            rows.append(
                (
                    kind, name, f"{row['rate']:,.0f}/s", f"{row['p99'] * 1e3:.2f} ms", f"{row['cpu_us']:.1f} µs",
                    f"{row['pss'] / 1e6:.0f} MB", f"{ratio:.2f}",
                )
            )  # fmt: skip
    head = ("", "tool", "held rate", "p99", "CPU a request", "memory", "ours / its")
    return _table(head, rows) + "\n\n![held rates and CPU per request](figures/others.png)"


def _location(figures: dict[str, Any]) -> str:
    def spread(errors: dict[str, float] | None) -> str:
        return "none, as is right" if errors is None else f"{errors['least']:+.1f} … {errors['most']:+.1f}"

    rows = [
        (
            case["case"], f"{case['outages_near']}/{case['trials']}", f"{case['outages_two_ticks']}/{case['trials']}",
            spread(case["start_error_ms"]), spread(case["end_error_ms"]),
            f"{case['silences_near']}/{case['trials']}", spread(case["silence_error_ms"]),
        )
        for case in figures["cases"]
    ]  # fmt: skip
    head = ("case", "outages by 50 ms", "by 20 ms", "start, ms", "end, ms", "silences by 50 ms", "edges, ms")
    return _table(head, rows)


def _oracle(figures: dict[str, Any]) -> str:
    rows = []
    for name, value in figures["summary"].items():
        told = ", ".join(f"{count} {what}" for what, count in value.items()) if isinstance(value, dict) else str(value)
        rows.append((name.replace("_", " "), told))
    return _table(("figure", "measured"), rows)


_MORE = {"rate": _rate, "others": _others, "location": _location, "oracle": _oracle}


def _machine(figures: dict[str, Any]) -> str:
    machine = figures.get("machine")
    if not machine:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return textwrap.fill(
        f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}; {versions}.", 120
    )


def _section(item: Item) -> str:
    path = FIGURES / f"{item.name}.json"
    head = f"## {item.title}\n\n`{item.command}` ({item.takes})\n\n{textwrap.fill(item.notes, 120)}\n"
    if not path.exists():
        return f"{head}\nNot measured yet.\n"
    figures = json.loads(path.read_text())
    parts = [head] + ([_claims(figures)] if "claims" in figures else [])
    if item.name in _MORE:
        parts.append("\n" + _MORE[item.name](figures))
    parts.append("\n" + _machine(figures) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Write the README."""
    sections = [_section(item) for item in ITEMS]
    sections.insert(7, _BAD_INPUT)
    path = Path(__file__).parent / "README.md"
    path.write_text("\n".join([_TOP, *sections]))
    print(path)


if __name__ == "__main__":
    main()
