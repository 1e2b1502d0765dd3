"""A small Concourse: it plays the jobs of ci/concourse/pipeline.yml with the task files as they are.

A task gets a folder of its own into which its inputs are copied, its params and PATH as its only environment, and a
process group of its own. An abort sends TERM to the group's leader, and KILL to all of it ten seconds later
(concourse-ci.org/builds.html). What a task exits with fails the build, what can't be run errors it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PIPELINE = yaml.safe_load((ROOT / "ci" / "concourse" / "pipeline.yml").read_text())
GRACE = 10.0  # seconds between an abort's TERM and its KILL

Params = dict[str, str]


class Concourse:
    """One pipeline of one environment."""

    def __init__(self, folder: Path, settings: Mapping[str, str], overrides: Mapping[str, str]) -> None:
        """`settings`: its ((variables)). `overrides`: params that every task gets in place of the pipeline's."""
        self.folder = folder
        self.settings = settings
        self.overrides = dict(overrides)
        self.promoted: list[str] = []
        self.resources: dict[str, Path] = {"tasks": folder / "tasks", "platform": folder / "platform"}
        shutil.copytree(ROOT / "ci", folder / "tasks" / "ci")
        (folder / "platform").mkdir()
        (folder / "bin").mkdir()
        program = folder / "bin" / "cf-harness"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m harness "$@"\n')
        program.chmod(0o755)
        self._count = 0
        self.builds: list[Build] = []

    def trigger(self, job: str, version: str) -> "Build":
        """Begin a build of a job for a version."""
        self._count += 1
        build = Build(self, job, version, self.folder / f"build-{self._count}-{job}")
        self.builds.append(build)
        return build

    def close(self) -> None:
        """Nothing is left behind."""
        for build in self.builds:
            build.kill()


class Build:
    """One build, in a thread of its own."""

    def __init__(self, ci: Concourse, job: str, version: str, folder: Path) -> None:
        self.status = "started"
        self.tasks: list[Task] = []
        self._ci = ci
        self._version = version
        self._folder = folder
        self._aborted = threading.Event()
        self._gone = False
        self._grown = threading.Condition()
        (self._job,) = (one for one in PIPELINE["jobs"] if one["name"] == job)
        self._thread = threading.Thread(target=self._play, name=job)
        self._thread.start()

    @property
    def log(self) -> str:
        """What all its tasks said."""
        return "\n".join(task.log for task in self.tasks)

    def wait(self, seconds: float = 90) -> str:
        """Its status, once it is over."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), self.log
        return self.status

    def task(self, name: str, seconds: float = 60) -> "Task":
        """One of its tasks, once it has begun."""
        with self._grown:
            assert self._grown.wait_for(lambda: any(task.name == name for task in self.tasks), seconds), self.log
        return next(task for task in self.tasks if task.name == name)

    def abort(self) -> None:
        """As by a click: the task that is under way is told, and no further one begins."""
        self._aborted.set()
        with self._grown:
            running = [task for task in self.tasks if task.code is None]
        for task in running:
            task.abort()

    def kill(self) -> None:
        """As when the worker's machine goes: not even its hooks run."""
        self._gone = True
        self._aborted.set()
        for task in self.tasks:
            task.kill()
        self._thread.join(20)

    def _play(self) -> None:
        places: dict[str, Path] = {}
        status = self._steps(self._job["plan"], places)
        self.status = status
        hook = {"failed": "on_failure", "errored": "on_error", "aborted": "on_abort"}.get(status)
        if hook in self._job and not self._gone:
            self._aborted.clear()  # hooks run to their end
            self._steps([self._job[hook]], places)

    def _steps(self, steps: list[dict[str, Any]], places: dict[str, Path]) -> str:
        for step in steps:
            if self._aborted.is_set():
                return "aborted"
            match step:
                case {"in_parallel": inner}:
                    status = self._steps(inner, places)
                case {"get": name}:
                    places[name] = self._got(name)
                    status = "succeeded"
                case {"put": _, "params": {"file": file}}:
                    name, _, path = str(file).partition("/")
                    self._ci.promoted.append((places[name] / path).read_text())
                    status = "succeeded"
                case {"task": _}:
                    status = self._task(step, places)
                case _:
                    raise AssertionError(f"a step that nobody knows: {step}")
            if status != "succeeded":
                return "aborted" if self._aborted.is_set() else status
        return "succeeded"

    def _got(self, name: str) -> Path:
        if name == "version":
            folder = self._folder / "get-version"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "version").write_text(self._version)
            return folder
        return self._ci.resources.get(name, self._folder)  # an image is nothing to copy

    def _task(self, step: dict[str, Any], places: dict[str, Path]) -> str:
        repository, _, path = step["file"].partition("/")
        config = yaml.safe_load((places[repository] / path).read_text())
        params = {**config.get("params", {}), **step.get("params", {}), **_known(self._ci.overrides, config)}
        given = {name: self._filled(value) for name, value in params.items()}
        inputs = {one["name"]: places[one["name"]] for one in config.get("inputs", [])}
        folder = self._folder / f"{len(self.tasks)}-{step['task']}"
        try:
            task = Task(step["task"], config, given, inputs, folder, self._ci.folder / "bin")
        except OSError:
            return "errored"
        with self._grown:
            self.tasks.append(task)
            self._grown.notify_all()
        code = task.wait()
        places |= task.outputs
        return "succeeded" if code == 0 else "failed"

    def _filled(self, value: Any) -> str:
        said = "" if value is None else str(value)
        return re.sub(r"\(\(([^)]+)\)\)", lambda name: self._ci.settings.get(name[1], ""), said)


def _known(overrides: Mapping[str, str], config: Mapping[str, Any]) -> Params:
    return {name: value for name, value in overrides.items() if name in config.get("params", {})}


class Task:
    """One task in its container."""

    def __init__(
        self,
        name: str,
        config: dict[str, Any],
        params: Params,
        inputs: Mapping[str, Path],
        folder: Path,
        programs: Path,
    ) -> None:
        """Raises OSError where it can't be run."""
        self.name = name
        self.code: int | None = None
        folder.mkdir(parents=True)
        for input_, place in inputs.items():
            shutil.copytree(place, folder / input_)
        self.outputs = {one["name"]: folder / one["name"] for one in config.get("outputs", [])}
        for output in self.outputs.values():
            output.mkdir(exist_ok=True)
        run = config["run"]
        command = [run["path"], *run.get("args", [])]
        if "/" in command[0] and not os.access(folder / command[0], os.X_OK):
            raise FileNotFoundError(command[0])
        self._log = folder.with_suffix(".log")
        with self._log.open("wb") as said:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", **params},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait(self) -> int:
        self.code = self._process.wait()
        return self.code

    def until_said(self, words: str, seconds: float = 60) -> None:
        """Wait for a line of its log."""
        end = time.monotonic() + seconds
        while words not in self.log:
            assert time.monotonic() < end, self.log
            assert self._process.poll() is None or words in self.log, self.log
            time.sleep(0.05)

    def abort(self) -> None:
        """TERM to the leader, ten seconds, KILL to the group."""
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
            return
        self.kill()

    def kill(self) -> None:
        """KILL, to all of its group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
