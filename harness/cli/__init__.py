"""The command line. `main` is the program `cf-harness`: it reads the words, calls a verb, and ends with an exit code.

Every verb goes through `harness.run`; none has a rule of its own. What is slow to import is imported by the verb.
"""

import os
import sys
import traceback
from collections.abc import Sequence

from harness.errors import HarnessError

USAGE = 2
INCONCLUSIVE = 3


def main(words: Sequence[str] | None = None) -> int:
    """Run one command, by default that of `sys.argv`. Returns the exit code, and raises nothing."""
    lend_streams()
    try:
        code = _run(list(sys.argv[1:] if words is None else words))
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough before a verb had its exit code
        hush(sys.stdout.fileno())
        return INCONCLUSIVE
    except HarnessError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        return INCONCLUSIVE
    except Exception as error:
        traceback.print_exc()
        complain(f"this is a mistake of cf-harness, not yours: {type(error).__name__}; nothing was judged")
        return INCONCLUSIVE
    return code


def _run(words: list[str]) -> int:
    from harness.cli.app import run_words

    return run_words(words)


def complain(text: str) -> None:
    """One message on stderr. What it quotes can't command the terminal."""
    from harness.report.layout import plain

    lines = [plain(line) for line in text.splitlines() if line.strip()]
    if len(lines) > 1:
        lines = [f"{len(lines)} mistakes, nothing was started:", *(f"  {line}" for line in lines)]
    try:
        print("cf-harness: " + "\n".join(lines), file=sys.stderr, flush=True)
    except OSError:  # nobody listens any more, or a full disk
        hush(sys.stderr.fileno())


def hush(descriptor: int) -> None:
    """Nobody reads this output any more: let what is still written to it, at exit too, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def lend_streams() -> None:
    """Let a standard stream that is closed (`2>&-`) go nowhere, before another file takes its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.set_inheritable(number, True)  # for what the command of --while writes
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))
