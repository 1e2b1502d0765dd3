"""The verb `run` as typer reads it: its options, and the command behind `--`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from harness.cli.options import (
    JUDGING,
    OUTPUT,
    PIPELINE,
    STOPPING,
    TRAFFIC,
    Absent,
    Format,
    FormatOption,
    LiveOption,
    OutputOption,
    QuietOption,
    RunsDirOption,
)
from harness.errors import HarnessError

EXIT_CODES = """
[bold]Exit codes[/], the same in every verb
 0  PASS: every enforced objective was met
 1  FAIL: one was violated
 2  a mistake in the command or in the plan; nothing was started
 3  INCONCLUSIVE: the evidence does not carry a verdict
 4  never became ready: the target was broken before anything began
 5  the command of --while failed, and nothing was violated
"""

RUN_EXAMPLES = f"""
[bold]Examples[/]
 cf-harness run https://app.example.org/ --duration 5m
 cf-harness run https://app.example.org/ --rate 50/s --fresh
 cf-harness run plan.yml --objective 'p99 < 300ms' -o junit.xml
 cf-harness run plan.yml -H 'Authorization: {{env: TOKEN}}'
 cf-harness run plan.yml --api https://api.example.org
 cf-harness run plan.yml --while -- bosh -d cf deploy cf.yml

It ends on Ctrl-C or TERM, when --duration is over, when the stop file
appears, or with the command; then it judges. A second Ctrl-C hurries it.
{EXIT_CODES}"""


class Given(NamedTuple):
    """Our words, and the command behind `--`, which is nobody else's to read; None: there is no `--`."""

    words: Sequence[str]
    command: tuple[str, ...] | None


def split(words: Sequence[str]) -> Given:
    """Ours, and the command's behind `--`, which only `run` has."""
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb != "run" or "--" not in words:
        return Given(words, None)
    at = list(words).index("--")
    return Given(words[:at], tuple(words[at + 1 :]))


def run(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="PLAN.yml|URL", help="A plan's file, or the URL to watch.", show_default=False)
    ],
    rate: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Requests of each runner: 10/s, 6/min.", rich_help_panel=TRAFFIC),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Limit of one request: 5s, 500ms.", rich_help_panel=TRAFFIC),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", metavar="", help="A new connection for each request.", rich_help_panel=TRAFFIC)
    ] = False,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            "-H",
            metavar="'NAME: VALUE'",
            help="A request header. Secrets as 'NAME: {env: VARIABLE}'. Repeatable.",
            rich_help_panel=TRAFFIC,
            show_default=False,
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", metavar="", help="Don't verify the server's certificate.", rich_help_panel=TRAFFIC),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="The app that the plan's runners call.", rich_help_panel=TRAFFIC),
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(
            "--api", metavar="URL", help="The Cloud Foundry API that its cf-api runners call.", rich_help_panel=TRAFFIC
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            metavar="",
            help="More than 100 requests a second beyond loopback are meant.",
            rich_help_panel=TRAFFIC,
        ),
    ] = False,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="TEXT",
            help="A condition for every runner: 'success >= 99.95%', 'p95 < 300ms', 'longest_outage < 5s'. "
            "Repeatable; added to the plan's.",
            rich_help_panel=JUDGING,
            show_default=False,
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Stop this long after it became ready: 5m.", rich_help_panel=STOPPING),
    ] = None,
    beside: Annotated[
        bool,
        typer.Option(
            "--while",
            metavar="",
            help="Run the command behind -- once ready; its end is the stop: --while -- make deploy",
            rich_help_panel=STOPPING,
        ),
    ] = False,
    stop_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Stop when this file appears.", rich_help_panel=STOPPING)
    ] = None,
    ready_timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Give up (exit 4) if not ready by then.", rich_help_panel=STOPPING),
    ] = None,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    runs_dir: RunsDirOption = Path("runs"),
    run_id: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The run's name; by default the time.", rich_help_panel=OUTPUT),
    ] = None,
    quiet: QuietOption = False,
    live: LiveOption = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Where a pipeline's tasks meet this run: file:///dir, s3://bucket/prefix, gs://, az://; or "
            "concourse+https://ci/teams/T/pipelines/P/jobs/J?version=V, a job whose end is the stop. "
            "Default: CF_HARNESS_CHANNEL.",
            rich_help_panel=PIPELINE,
            show_default=False,
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Serve the run's own control API there: channel http://HOST:PORT. Beyond loopback it wants a token.",
            rich_help_panel=PIPELINE,
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The control API's bearer token; default: CF_HARNESS_TOKEN.",
            rich_help_panel=PIPELINE,
            show_default=False,
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The control API's certificate (PEM).", rich_help_panel=PIPELINE),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key (PEM).", rich_help_panel=PIPELINE)
    ] = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            metavar="",
            help="Go on in the background once it has begun; `stop` finds it by its channel.",
            rich_help_panel=PIPELINE,
        ),
    ] = False,
    if_absent: Annotated[
        Absent,
        typer.Option(
            metavar="fail|skip",
            help="Where the app is not there yet: never become ready (exit 4), or watch nothing (exit 0, recorded as "
            "skipped).",
            rich_help_panel=PIPELINE,
        ),
    ] = Absent.FAIL,
) -> int:
    """Watch a target until something stops it, then judge what was seen."""
    command = _command(context, beside)
    if quiet and live:
        raise _wrong("--quiet and --live contradict each other")
    if detach and (command is not None or live):
        raise _wrong("--detach goes with neither --while nor --live: nobody is there to see it")
    from harness.cli.meeting import meeting_of
    from harness.cli.run import Wishes, run_target
    from harness.plan import Overrides

    overrides = Overrides(
        url=url,
        api=api,
        rate=rate,
        duration=duration,
        timeout=timeout,
        fresh=fresh,
        objectives=tuple(objective or ()),
        headers=tuple(header or ()),
        insecure=insecure,
        yes=yes,
        ready_timeout=ready_timeout,
    )
    wishes = Wishes(runs_dir=runs_dir, run_id=run_id, form=form, files=tuple(output or ()), quiet=quiet, live=live)
    meeting = meeting_of(run_id, channel, listen, token_file, tls_cert, tls_key)
    if detach:
        from harness.cli.detach import start_detached

        return start_detached(meeting, runs_dir, context.obj.words)
    return run_target(
        target,
        overrides,
        wishes,
        meeting=meeting,
        skip_if_absent=if_absent is Absent.SKIP,
        stop_file=stop_file,
        command=command,
    )


def _command(context: typer.Context, beside: bool) -> tuple[str, ...] | None:
    """The command behind `--`, or what is wrong with it."""
    command: tuple[str, ...] | None = context.obj.command
    extra = list(context.args)
    if beside and command is None:
        meant = " ".join(extra) or "make deploy"
        raise _wrong(f"--while says that a command follows behind --, and none does: --while -- {meant}")
    if beside and not command:
        raise _wrong("there is no command behind --: --while -- make deploy")
    if command is not None and not beside:
        raise _wrong("a command behind -- needs --while before it: --while -- " + (" ".join(command) or "make deploy"))
    if extra:
        raise _wrong(f"one plan or URL at a time: what is {extra[0]!r}?")
    return command


class UseError(HarnessError):
    """Options that don't go together."""


def _wrong(text: str) -> UseError:
    return UseError(text)
