"""The verb `report`: a run judged again from its journal, with what its other attempts came to and who accepted it."""

from pathlib import Path

from harness.channel.runs import RunsPipeline
from harness.cli.deliver import check_outputs, deliver
from harness.cli.met import Met
from harness.gate import sentences
from harness.run import find_run, rebuild
from harness.run_folder import RunFolder


def report(name: str, form: str, files: tuple[Path, ...], runs_dir: Path) -> int:
    """Returns the exit code of the attempt that is shown. Raises RunError, JournalError, OutputError."""
    check_outputs(files)
    folder = find_run(runs_dir, name)
    return deliver(rebuild(folder), form, files, beside=_beside(folder))


def _beside(folder: RunFolder) -> tuple[str, ...]:
    """What the run's folder knows besides this attempt, in sentences."""
    runs = folder.path.parent.parent
    if folder.path != runs / folder.run / str(folder.attempt):  # a folder that was moved
        return ()
    return tuple(sentences(Met(RunsPipeline(runs), folder.run).gate()))
