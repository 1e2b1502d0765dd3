"""What a look at a job's builds asks, and which build counts, against a job that is known whole."""

from hypothesis import given
from hypothesis import strategies as st

from harness.channel.concourse.builds import RUNNING, Build, Input, RerunOf
from harness.channel.concourse.job import Job
from harness.channel.concourse.look import PAGES, AskInputs, AskPage, Look

_JOB = Job("https://ci", "main", "cf", "deploy", "ref:ours")
_STATES = ("pending", "started", "succeeded", "failed", "errored", "aborted")


@st.composite
def _builds(draw: st.DrawFn) -> list[tuple[Build, str]]:
    """Builds by their ids, each with its version. A rerun has that of the one that was run again."""
    found: list[tuple[Build, str]] = []
    for id in range(1, draw(st.integers(0, 30)) + 1):
        originals = [one for one in found if one[0].rerun_of is None]
        again = draw(st.none() | st.sampled_from(originals)) if originals else None
        version = again[1] if again else draw(st.sampled_from(["ours", "theirs"]))
        of = RerunOf(again[0].id) if again else None
        found.append((Build(id=id, name=str(id), status=draw(st.sampled_from(_STATES)), rerun_of=of), version))
    return found


class _Atc:
    """Answers a look's questions, and counts them."""

    def __init__(self, builds: list[tuple[Build, str]], page: int) -> None:
        self._versions = {build.id: version for build, version in builds}
        listed = sorted((build for build, _ in builds), key=lambda b: (b.rerun_of.id if b.rerun_of else b.id, b.id))
        self._listed = listed[::-1]
        self._page = page
        self.pages: list[Build] = []
        self.inputs: list[int] = []

    def look(self, settled: dict[int, bool]) -> Look:
        look = Look(_JOB, settled)
        while (question := look.question()) is not None:
            match question:
                case AskPage():
                    at = int(dict(question.older).get("to", "0"))
                    page = self._listed[at : at + self._page]
                    self.pages += page
                    more = at + self._page < len(self._listed)
                    look.listed(page, [("to", str(at + self._page))] if more else None)
                case AskInputs():
                    self.inputs.append(question.build.id)
                    chosen = question.build.status != "pending"
                    version = {"ref": self._versions[question.build.id]}
                    look.has(question.build, [Input(name="src", version=version)] if chosen else [])
        return look


@given(_builds(), st.integers(1, 10))
def test_the_newest_that_runs_counts_or_else_the_newest(builds: list[tuple[Build, str]], page: int) -> None:
    atc = _Atc(builds, page)
    newest = atc.look({}).newest
    versions = {build.id: version for build, version in builds}

    def known(build: Build) -> bool:  # a build that waits has no inputs yet, unless it is a rerun of one that has
        original = next((b for b, _ in builds if build.rerun_of and b.id == build.rerun_of.id), None)
        return build.status != "pending" or (original is not None and original in atc.pages and known(original))

    ours = sorted((b for b in atc.pages if versions[b.id] == "ours" and known(b)), key=lambda b: -b.id)
    if newest is None:
        assert not [build for build in ours if build.status != "pending"]
    else:
        running = [build for build in ours if build.status in RUNNING]
        started = [build for build in running if build.status == "started"]
        assert newest in ours
        assert newest.id >= (started[0].id if started else 0)
        if not running:
            assert newest == ours[0]
        if not newest.over:
            assert newest in running


@given(_builds(), st.integers(1, 10))
def test_it_goes_back_until_it_found_one_and_asks_no_more_than_it_must(
    builds: list[tuple[Build, str]], page: int
) -> None:
    atc = _Atc(builds, page)
    look = atc.look({})
    assert len(atc.inputs) == len(set(atc.inputs))
    assert len(atc.pages) <= PAGES * page
    if look.newest is None:
        assert len(atc.pages) == min(len(builds), PAGES * page)
    before = set(atc.inputs)
    atc.inputs.clear()
    again = atc.look(look.settled)
    assert again.newest == look.newest
    pending = {build.id for build, _ in builds if build.status == "pending"}
    assert set(atc.inputs) & before <= pending


@given(_builds(), st.integers(1, 10))
def test_what_is_settled_is_true(builds: list[tuple[Build, str]], page: int) -> None:
    settled = _Atc(builds, page).look({}).settled
    versions = {build.id: version for build, version in builds}
    over = {build.id for build, _ in builds if build.over}
    for id, ours in settled.items():
        assert ours == (versions[id] == "ours") or id in over


def test_a_build_that_waits_is_asked_about_again() -> None:
    waiting = Build(id=9, name="9", status="pending")
    look = Look(_JOB, {})
    look.listed([waiting], None)
    assert look.question() == AskInputs(waiting)
    look.has(waiting, [])
    assert look.question() is None
    assert look.newest is None
    again = Look(_JOB, look.settled)
    again.listed([waiting], None)
    assert again.question() == AskInputs(waiting)


def test_a_rerun_is_of_the_same_version_before_it_has_its_inputs() -> None:
    look = Look(_JOB, {3: True})
    rerun = Build(id=9, name="3.1", status="pending", rerun_of=RerunOf(3))
    look.listed([rerun, Build(id=3, name="3", status="errored")], None)
    assert look.question() is None
    assert look.newest == rerun
