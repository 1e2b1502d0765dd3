"""The program as typer reads it: which verbs there are. What a verb does is in the module of its name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import harness
from harness.cli import USAGE, complain, pipeline
from harness.cli.options import Format, FormatOption, LiveOption, OutputOption, QuietOption, RunsDirOption, Telling
from harness.cli.running import EXIT_CODES, RUN_EXAMPLES, run, split

_INTERRUPTED = 130  # typer's word for a Ctrl-C that no verb took

_EXAMPLES = f"""
[bold]Examples[/]
 cf-harness demo
 cf-harness run https://app.example.org/
 cf-harness run plan.yml --while -- make deploy
 cf-harness run plan.yml --format json --quiet | jq .verdict
 cf-harness report 20261124T171250Z-abcd --format markdown

[bold]In a pipeline[/] (docs/pipelines.md)
 export CF_HARNESS_CHANNEL=file:///var/tmp/cf-harness
 cf-harness run plan.yml --detach --run-id 42
 cf-harness wait-ready && make deploy && cf-harness stop
{EXIT_CODES}
[bold]More[/]
 cf-harness run --help        every option of a run
 cf-harness schema            every key of a plan, for your editor
 docs/                        plan, causes and what to do, verdict rules
"""

app = typer.Typer(
    name="cf-harness",
    help="Watches a Cloud Foundry platform while it is deployed, and says honestly whether anybody noticed.",
    epilog=_EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run_words(words: Sequence[str]) -> int:
    """Do what the words say. Returns the exit code. Raises HarnessError, or a fault of ours."""
    given = split(words)
    program = typer.main.get_command(app)
    try:
        code = program.main(args=list(given.words), prog_name="cf-harness", standalone_mode=False, obj=given)
    except Exception as error:
        if not hasattr(error, "format_message"):  # else it is typer's word on a wrong use
            raise
        return _misused(error)
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _misused(error: Exception) -> int:
    said = error.format_message()  # type: ignore[attr-defined]  # typer's own, or click's with an older typer
    if not said:  # bare `cf-harness`: the help was asked for, in a way
        return USAGE
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "cf-harness"
    said = " ".join(said.split()).rstrip(".").replace("Value error, ", "")
    complain(f"{said[0].lower()}{said[1:]} (see {path} --help)")
    return USAGE


def _version(asked: bool) -> None:
    if asked:
        print(f"cf-harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", metavar="", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the verb."""


app.command(epilog=RUN_EXAMPLES, context_settings={"allow_extra_args": True})(run)


@app.command()
def report(
    name: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's name under --runs-dir, or its folder.", show_default=False)
    ],
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> int:
    """Judge a run again from its journal and print the report; an interrupted run too."""
    from harness.cli.report import report

    return report(name, form, tuple(output or ()), runs_dir)


for _verb in (pipeline.wait_ready, pipeline.mark, pipeline.status, pipeline.stop, pipeline.verdict, pipeline.accept):
    app.command()(_verb)


@app.command()
def schema() -> int:
    """Print the plan's JSON Schema: editors complete and check from it."""
    import json

    from harness.cli.deliver import show
    from harness.plan import schema as schema_of_plan

    show(json.dumps(schema_of_plan(), indent=2) + "\n")
    return 0


@app.command()
def sandbox(
    routers: Annotated[int, typer.Option(min=1, max=20, metavar="N", help="Routers behind the load balancer.")] = 2,
    instances: Annotated[int, typer.Option(min=1, max=50, metavar="N", help="Instances of the app.")] = 2,
    tls: Annotated[
        bool, typer.Option("--tls", metavar="", help="HTTPS, with a certificate authority of its own.")
    ] = False,
    layer: Annotated[
        int, typer.Option(metavar="4|7", help="The load balancer passes connections (4) or requests (7).")
    ] = 4,
    script: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A deployment to act out: a file of steps at times, or rolling_with_drain, rolling_without_drain.",
            show_default=False,
        ),
    ] = None,
    script_after: Annotated[str, typer.Option(metavar="TIME", help="Begin the script so long after it serves.")] = "0s",
    once: Annotated[bool, typer.Option("--once", metavar="", help="End with the script.")] = False,
    form: Annotated[
        Telling,
        typer.Option("--format", metavar="FORMAT", help="How it says that it serves: text or json."),
    ] = Telling.TEXT,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="0: any free one.")] = 0,
    api: Annotated[
        bool, typer.Option("--api", metavar="", help="With the Cloud Foundry API: two Cloud Controllers and UAA.")
    ] = False,
    rate_limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Requests of one user that each Cloud Controller takes in an hour.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Serve a small Cloud Foundry on loopback until Ctrl-C or TERM, and act out a deployment's faults."""
    from harness.cli.sandbox import serve_sandbox

    return serve_sandbox(
        routers=routers,
        instances=instances,
        tls=tls,
        layer=layer,
        script=script,
        script_after=script_after,
        once=once,
        form=form,
        port=port,
        api=api,
        rate_limit=rate_limit,
    )


@app.command()
def demo(runs_dir: RunsDirOption = Path("runs"), quiet: QuietOption = False, live: LiveOption = None) -> int:
    """See it work, in under a minute: two deployments of the sandbox, one that nobody notices and one that users do."""
    from harness.cli.demo import show_demo

    return show_demo(runs_dir, quiet=quiet, live=live)
