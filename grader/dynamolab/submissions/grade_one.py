"""Grades one submission into a folder: results.json, report.html, pages of failures, what was graded
(``solution/``) and a log."""

from __future__ import annotations

import hashlib
import json
import platform
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dynamolab import build, grade, render_html, results, solutions
from dynamolab.course.course import Course
from dynamolab.errors import LabError
from dynamolab.labs import Lab, load_all
from dynamolab.paths import shown
from dynamolab.results import CheckResult, LabResult, Outcome, Results, Submission
from dynamolab.submissions import opening, place
from dynamolab.submissions.collecting import BadSubmission, shown_name

SOLUTION, LOG, REPORT, STUDENT_REPORT = "solution", "log.txt", "report.html", "student.html"
ALL_KINDS = frozenset({"unit", "sim", "explore", "cluster", "plan"})
TEXTS = {".json", ".jsonl", ".html", ".txt", ".log"}
LARGEST_TEXT_BYTES = 64_000_000


@dataclass(frozen=True)
class Options:
    """How submissions are graded. The course's labs carry its points."""

    course: Course
    labs: Sequence[Lab]
    kinds: frozenset[str] = ALL_KINDS
    only: frozenset[str] = frozenset()
    seed: int = 1
    jobs: int = 1
    supplied: Sequence[str] = ()  # As --with has it.
    command: str = ""
    on_progress: Callable[[Results], None] | None = None  # Hears how things stand, after each check.
    sandbox: str = "off"

    def asked(self, digest: str) -> str:
        """Names what is graded how. Points are not in it: they are put on verdicts that are there."""
        checks = [
            check.id
            for lab in self.labs
            for check in lab.checks
            if check.kind in self.kinds and (not self.only or check.id in self.only)
        ]
        seeds = [self.seed, self.course.secret_seeds(self.labs)]
        told = json.dumps([digest, checks, seeds, self.course.parts_left_out, *self.supplied])
        return hashlib.sha256(told.encode()).hexdigest()


def grade_one(submission: Path, out: Path, options: Options, *, again: bool = False) -> Results:
    """The results, also those that were there already. LabError if there is no such submission or the
    folder holds something else; GraderTrouble, and no result, if nothing could be graded."""
    with place.locked(out):
        place.refuse_foreign(out)
        with place.staged(out) as folder:
            began = time.monotonic()
            try:
                told = opening.open_submission(submission, folder / SOLUTION, load_all())
                refused = ""
            except BadSubmission as error:
                shutil.rmtree(folder / SOLUTION, ignore_errors=True)
                refused = f"The submission could not be opened: {error}."
                digest = hashlib.sha256(refused.encode()).hexdigest()
                told = Submission(shown_name(submission.resolve().name), digest, notes=[refused])
            told.asked = options.asked(told.digest)
            known = None if again else done(out, told.asked, options.labs)
            if known is not None:
                return known
            if refused:
                graded = _refused(refused, folder / SOLUTION, options)
            else:
                graded = _grade(folder, out, options)
            graded.submission = told
            _finish(graded, folder, out, began)
            if graded.outcome is Outcome.INCONCLUSIVE and done(out, None, options.labs):
                return graded  # What was there is better than that.
            place.settle(folder, out)
            return graded


def done(out: Path, asked: str | None, labs: Sequence[Lab]) -> Results | None:
    """The result that is there, with the course's points of today; None if it has to be made: there is
    none, it is of something else, or it was inconclusive."""
    if not (out / grade.RESULTS_FILE).is_file():
        return None
    try:
        known = results.read(out / grade.RESULTS_FILE)
    except LabError:
        return None
    of_this = known.submission is not None and asked in (None, known.submission.asked)
    if not of_this or known.outcome is Outcome.INCONCLUSIVE:
        return None
    counted = with_course(known, labs)
    if counted.document() != known.document():
        write_reports(counted, out)
        results.write_json(counted.document(), out / grade.RESULTS_FILE)
    return counted


def with_course(graded: Results, labs: Sequence[Lab]) -> Results:
    """The same verdicts with the points of these labs, and what is void or hidden in them."""
    by_number = {lab.number: lab for lab in labs}
    told = []
    for lab in graded.labs:
        course_lab = by_number.get(lab.lab)
        parts = {p: title for p, (title, _) in course_lab.parts.items()} if course_lab else lab.parts
        checks = [_counted(check, course_lab) for check in lab.checks]
        told.append(replace(lab, checks=checks, parts=parts))
    return replace(graded, labs=told)


def _counted(check: CheckResult, lab: Lab | None) -> CheckResult:
    known = lab.check(check.id) if lab else None
    if known is None:
        return check
    return replace(check, max_points=known.points, void=known.void, show=known.show)


def request_for(folder: Path, out: Path, options: Options) -> grade.Request:
    """Of the clean solution in ``folder``, which becomes ``out``; a part that the course leaves out is the
    reference's."""
    known = load_all()
    left_out = [f"{solutions.REFERENCE_NAME}:{part}" for part in options.course.parts_left_out]
    supplied = solutions.parse_with([*left_out, *options.supplied], known)
    solution = solutions.open_solution(folder / SOLUTION, known, supplied, list(options.labs))
    return grade.Request(
        solution=solution,
        labs=list(options.labs),
        only=options.only,
        kinds=options.kinds,
        seed=options.seed,
        secret_seeds=options.course.secret_seeds(options.labs),
        jobs=options.jobs,
        command=options.command,
        sandbox=options.sandbox,
        quiet=True,
        folder=folder,
        on_progress=_teller(folder, out, options),
    )


def _grade(folder: Path, out: Path, options: Options) -> Results:
    request = request_for(folder, out, options)
    try:
        return grade.grade(request)
    finally:
        drop_builds(request)


def _teller(folder: Path, out: Path, options: Options) -> Callable[[Results], None] | None:
    """What tells ``on_progress`` how things stand, with the paths that they will have."""
    on_progress = options.on_progress
    if on_progress is None:
        return None

    def tell(so_far: Results) -> None:
        copy = results.of_document(so_far.document())
        _move_results(copy, folder, out)
        on_progress(copy)

    return tell


def drop_builds(request: grade.Request) -> None:
    """The node of a submission is as large as a class is long; nobody needs it any more."""
    for lab in request.labs:
        label = f"lab{lab.number}-{request.solution.folder.name}"
        modules = request.solution.modules(lab)
        for shut_in in (False, True):
            folder = build.solution_folder("release", modules, label, shut_in)
            shutil.rmtree(folder, ignore_errors=True)


def _refused(why: str, solution: Path, options: Options) -> Results:
    """Nothing could be built: every check fails for that one reason."""
    told = Results(shown(solution), options.seed, command=options.command)
    for lab in options.labs:
        checks = [
            CheckResult(c.id, c.title, c.kind, Outcome.FAIL, c.points, message=why, part=c.part)
            for c in lab.checks
            if c.kind in options.kinds and (not options.only or c.id in options.only)
        ]
        told.labs.append(LabResult(lab.number, lab.name, lab.title, checks))
    return with_course(told, options.labs)


def _finish(graded: Results, folder: Path, out: Path, began: float) -> None:
    """Everything that belongs into the folder, with the paths that it will have."""
    graded.seconds = time.monotonic() - began
    move_paths(graded, folder, out)
    results.write_json(graded.document(), folder / grade.RESULTS_FILE)
    write_reports(graded, folder, out)
    (folder / LOG).write_text(_log(graded), encoding="utf-8", errors="backslashreplace")


def move_paths(graded: Results, folder: Path, out: Path) -> None:
    """What names the folder of the work names the folder of the result, in the results and in the files
    beside them."""
    _move_results(graded, folder, out)
    for path in folder.rglob("*"):
        if path.suffix in TEXTS and path.is_file() and path.stat().st_size < LARGEST_TEXT_BYTES:
            text = path.read_bytes()
            fresh = text
            for old, new in _moved(folder, out):
                fresh = fresh.replace(old.encode(), new.encode())
            if fresh != text:
                path.write_bytes(fresh)


def _moved(folder: Path, out: Path) -> list[tuple[str, str]]:
    """As results and files name the folder, and shall name it."""
    out = out.resolve()
    return [(str(folder), str(out)), (shown(folder), shown(out))]


def _move_results(graded: Results, folder: Path, out: Path) -> None:
    sources = [(f"{old}/{SOLUTION}/", f"{SOLUTION}/") for old, _ in _moved(folder, out)]

    def moved(text: str, first: Sequence[tuple[str, str]] = ()) -> str:
        for old, new in (*first, *_moved(folder, out)):
            text = text.replace(old, new)
        return text

    graded.solution = moved(graded.solution)
    graded.options = [moved(word) for word in graded.options]
    for check in (check for lab in graded.labs for check in lab.checks):
        check.message = moved(check.message, sources)
        check.replay = moved(check.replay) if check.replay else None
        check.view = moved(check.view) if check.view else None


def write_reports(graded: Results, folder: Path, out: Path | None = None) -> None:
    """report.html for staff; if the course hides something, student.html for the student."""
    at = out or folder
    render_html.render(graded, folder / REPORT, at)
    shown_to_students = graded.for_students()
    if shown_to_students.document() == graded.document():
        (folder / STUDENT_REPORT).unlink(missing_ok=True)
    else:
        render_html.render(shown_to_students, folder / STUDENT_REPORT, at)


def cpu_seconds() -> float:
    """Of this process and of all that it has waited for, theirs included."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _log(graded: Results) -> str:
    told = graded.submission
    assert told is not None
    lines = [
        f"submission  {told.name}",
        f"digest      {told.digest}",
        f"taken       {', '.join(told.taken) or 'nothing'}",
        *(f"note        {note}" for note in told.notes),
        f"graded      {time.strftime('%Y-%m-%d %H:%M:%S %z')} on {platform.node()}",
        f"command     {graded.command}",
        f"seed        {graded.seed}",
        f"sandbox     {graded.sandbox}",
        f"took        {graded.seconds:.1f} s, {cpu_seconds():.1f} s of processor time",
        "",
    ]
    for lab in graded.labs:
        lines.append(f"lab {lab.lab}: {lab.points} of {lab.max_points} ({lab.outcome.value})")
        lines += [
            f"  {check.outcome.value:<12} {check.points:>3}/{check.max_points:<3}"
            f" {check.seconds:7.2f} s  {check.id}"
            for check in lab.checks
        ]
    return "\n".join(lines) + "\n"
