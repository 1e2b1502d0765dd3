"""The verbs of a pipeline's tasks, as typer reads them: they meet a run at its channel. `app` lists them."""

from pathlib import Path
from typing import Annotated

import typer

from harness import units
from harness.cli.options import Format, FormatOption, OutputOption, RunsDirOption, Telling
from harness.errors import HarnessError

ChannelOption = Annotated[
    str | None,
    typer.Option(
        "--channel",
        metavar="URL",
        help="Where the run is met: file:///dir, s3://bucket/prefix (gs://, az://), or http(s)://host:port of its own "
        "API. Default: CF_HARNESS_CHANNEL.",
        show_default=False,
    ),
]
RunIdOption = Annotated[
    str | None,
    typer.Option(
        "--run-id",
        metavar="NAME",
        help="Which run; default: CF_HARNESS_RUN_ID, the CI system's id of this pipeline, or the newest one.",
        show_default=False,
    ),
]


class OptionError(HarnessError):
    """An option of a verb that can't be read."""


def wait_ready(
    channel: ChannelOption = None,
    run_id: RunIdOption = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="Give up (exit 4) after this long.")] = "5m",
) -> int:
    """Wait until a run really watches: exit 0; 4 with the reason if it does not, at once if it died."""
    from harness.cli.met import place
    from harness.cli.wait_ready import wait_ready

    limit = _duration("--timeout", timeout)
    pipeline, run = place(channel, run_id)
    return wait_ready(pipeline, run, limit)


def mark(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Such as deploy-router.", show_default=False)
    ] = None,
    begin: Annotated[bool, typer.Option("--begin", metavar="", help="A phase of that name begins.")] = False,
    end: Annotated[bool, typer.Option("--end", metavar="", help="It ends.")] = False,
    bosh_events: Annotated[
        Path | None,
        typer.Option(
            "--from-bosh-events",
            metavar="FILE",
            help="Place instance updates on the time line afterwards: what `bosh events --json` or "
            "`bosh task N --event` printed; - for standard input.",
            show_default=False,
        ),
    ] = None,
    clock_offset: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --from-bosh-events: how far BOSH's clock is ahead of this one, such as 90s or -2s; by default "
            "it is estimated.",
            show_default=False,
        ),
    ] = None,
    channel: ChannelOption = None,
    run_id: RunIdOption = None,
) -> int:
    """Tell a run what the pipeline does: a moment, or the begin or end of a phase."""
    from harness.cli.mark import mark
    from harness.cli.met import meet

    if clock_offset is not None and bosh_events is None:
        raise OptionError("--clock-offset belongs to --from-bosh-events FILE")
    if (name is None) == (bosh_events is None):
        raise OptionError("mark what? Give a NAME, such as deploy-router, or --from-bosh-events FILE")
    if (begin and end) or (bosh_events is not None and (begin or end)):
        raise OptionError("give --begin or --end, or neither for a moment, and none with --from-bosh-events")
    if bosh_events is not None:
        from harness.cli.bosh import mark_events

        return mark_events(meet(channel, run_id), bosh_events, _offset(clock_offset))
    assert name is not None
    if not name.strip():
        raise OptionError("the mark's name is empty: give one such as deploy-router")
    return mark(meet(channel, run_id), name, "begin" if begin else "end" if end else "")


def status(
    channel: ChannelOption = None,
    run_id: RunIdOption = None,
    form: Annotated[Telling, typer.Option("--format", metavar="FORMAT", help="text or json.")] = Telling.TEXT,
) -> int:
    """Tell how a run goes, with all its attempts."""
    from harness.cli.met import meet
    from harness.cli.status import status

    return status(meet(channel, run_id), form)


def stop(
    channel: ChannelOption = None,
    run_id: RunIdOption = None,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who asks for it, for the report.", show_default=False)
    ] = None,
    timeout: Annotated[
        str,
        typer.Option(metavar="TIME", help="Give up (exit 3) if no verdict came by then; longer than the settle time."),
    ] = "10m",
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> int:
    """Stop a run, wait for its verdict, print it, keep its reports here. Ends with the exit code of all attempts."""
    from harness.cli.deliver import check_outputs
    from harness.cli.met import meet
    from harness.cli.stop import stop

    files = tuple(output or ())
    check_outputs(files)
    limit = _duration("--timeout", timeout)
    return stop(meet(channel, run_id), form, files, runs_dir, limit, by)


def verdict(
    name: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run's id; as --run-id.", show_default=False)
    ] = None,
    channel: ChannelOption = None,
    run_id: RunIdOption = None,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> int:
    """Read a run's verdict again, over all its attempts: the gate of a promotion."""
    from harness.cli.met import meet
    from harness.cli.verdict import tell

    return tell(meet(channel, _one_name(name, run_id), runs_dir), form, tuple(output or ()))


def accept(
    name: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who takes the responsibility.", show_default=False)],
    reason: Annotated[str, typer.Option(metavar="WHY", help="Why it may pass.", show_default=False)],
    channel: ChannelOption = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> int:
    """Let a run pass in spite of its verdict. That is kept, and every report shows it."""
    from harness.cli.met import meet
    from harness.cli.verdict import accept

    return accept(meet(channel, name, runs_dir), by, reason)


def _one_name(name: str | None, run_id: str | None) -> str | None:
    if name is not None and run_id is not None and name != run_id:
        raise OptionError(f"one run at a time: {name} or {run_id}?")
    return name or run_id


def _duration(option: str, value: str) -> float:
    try:
        return units.duration(value)
    except ValueError as error:
        raise OptionError(f"{option} {value}: {error}") from None


def _offset(value: str | None) -> float | None:
    if value is None:
        return None
    size = _duration("--clock-offset", value.lstrip("+-"))
    return -size if value.startswith("-") else size
