"""A graded run on the terminal: the table with points, then each failure as a story."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dynamolab.results import CheckResult, LabResult, Outcome, Results, points_words
from dynamolab.ui import harmless

_STYLES = {
    Outcome.PASS: ("PASS", "green"),
    Outcome.FAIL: ("FAIL", "bold red"),
    Outcome.SKIP: ("SKIP", "yellow"),
    Outcome.INCONCLUSIVE: ("INCONCLUSIVE", "magenta"),
}
STORY_LINES = 40  # The middle of a longer message is in the report.
TAIL_LINES = 10  # Of the nodes' logs, where the message is long.
FEWEST_STEPS = 10  # Of the story, however long the verdict is.
FULL_STORIES = 5  # A lab.
GIST_COLUMNS = 100
FEW = 3  # Skipped checks with one reason that get a line each.
ANY_COLUMNS = 1000  # Wider than every table.

_NOT_WRITTEN = re.compile(r"not written yet: (?:[^\n]*?, )?[A-Z]+[(]lab\d[^)\n]*[)]: ([^:\n]+)")
_JUDGED = re.compile(r" *(expected|actual):")  # What should be and what is: never cut.
_TAILS = re.compile(r"last lines of ")  # The nodes' logs come after it.


def render(results: Results, console: Console) -> None:
    """Everything that a person wants to know, the most important last."""
    for lab in results.labs:
        _verdicts(lab, console)
        _skipped(lab, console)
    for lab in results.labs:
        _failures(results, lab, console)
    for lab in results.labs:
        if lab.leaderboard:
            console.print(Text.assemble("\n", ("Leaderboard: ", "bold"), lab.leaderboard.words))
    console.print(_closing(results))


def _verdicts(lab: LabResult, console: Console) -> None:
    """The widest of the forms that fits: an id is to be copied, so it stands in one piece."""
    for full in (True, False):
        table = _table(lab, full)
        wide = console.options.update_width(ANY_COLUMNS)
        if Measurement.get(console, wide, table).minimum <= console.width:
            console.print(table)
            return
    _lines(lab, console)


def _table(lab: LabResult, full: bool) -> Table:
    """``full``: with the kinds and the seconds."""
    table = Table(title=f"Lab {lab.lab}: {lab.title}", title_justify="left", title_style="bold")
    table.add_column("part", justify="center", no_wrap=True)
    table.add_column("check", ratio=1, min_width=max((len(c.id) for c in lab.checks), default=1))
    if full:
        table.add_column("kind", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    if full:
        table.add_column("seconds", justify="right", no_wrap=True)

    def add(*row: Text | str) -> None:
        kind, seconds = 2, 5
        table.add_row(*(cell for at, cell in enumerate(row) if full or at not in (kind, seconds)))

    for part, group in groupby(lab.checks, key=lambda check: check.part):
        checks = list(group)
        for check in checks:
            told = Text.assemble(check.title, "\n", (check.id, "dim"))
            add(part, told, check.kind, _word(check), _points(check), f"{check.seconds:.2f}")
        table.add_section()
        seconds = f"{sum(c.seconds for c in checks):.2f}"
        add("", _part(lab, part), "", "", Text(_sum(checks), "bold"), seconds)
        table.add_section()
    add("", Text(f"Lab {lab.lab}", "bold"), "", "", Text(_sum(lab.checks), "bold"), "")
    return table


def _lines(lab: LabResult, console: Console) -> None:
    """For a narrow terminal: no frame, each id on a line of its own."""
    console.print(Text(f"Lab {lab.lab}: {lab.title}", "bold"))
    words = max((len(_word(check)) for check in lab.checks), default=0)
    for part, group in groupby(lab.checks, key=lambda check: check.part):
        checks = list(group)
        console.print(Text.assemble("\n", _part(lab, part), (f" · {_sum(checks)}", "bold")))
        for check in checks:
            row = Table.grid(padding=(0, 1))
            row.add_column(no_wrap=True, min_width=words)
            row.add_column(no_wrap=True, justify="right", min_width=len("10/10"))
            row.add_column()
            row.add_row(_word(check), _points(check), check.title)
            console.print(row)
            console.print(Text(f"  {check.id}", "dim"), no_wrap=True, overflow="ellipsis")
    console.print(Text(f"\nLab {lab.lab} · {_sum(lab.checks)}", "bold"))


def _word(check: CheckResult) -> Text:
    word = Text(*_STYLES[check.outcome])
    return word.append(" (void)", "dim") if check.void else word


def _points(check: CheckResult) -> str:
    return points_words(check.points, check.max_points)


def _sum(checks: Sequence[CheckResult]) -> str:
    return points_words(sum(c.points for c in checks), sum(c.max_points for c in checks))


def _part(lab: LabResult, part: str) -> Text:
    return Text(f"Part {part}: {lab.parts.get(part, '')}", "bold")


def _skipped(lab: LabResult, console: Console) -> None:
    """Why each one did not run: a line a check, one for all where many share a reason."""
    reasons: dict[str, list[str]] = {}
    for check in lab.checks:
        if check.outcome is Outcome.SKIP:
            reason = harmless(check.message).removeprefix("skipped: ") or "no reason was given"
            reasons.setdefault(reason, []).append(check.id)
    for reason, ids in reasons.items():
        if len(ids) > FEW:
            line = f"SKIP {len(ids)} checks, of each: {reason}: {', '.join(ids)}"
            console.print(Text(line, "dim"))
            continue
        for identifier in ids:
            console.print(Text(f"SKIP {identifier}: {reason}", "dim"))


def _failures(results: Results, lab: LabResult, console: Console) -> None:
    """One story for each message (a solution that does not compile fails all checks in one way). Of
    many, the first few in full, a line for each of the rest: work goes top down. What is not written
    yet comes last, as one."""
    told = (Outcome.FAIL, Outcome.INCONCLUSIVE)
    troubled = [c for c in lab.checks if c.outcome in told and not c.void]
    waiting = [check for check in troubled if _unwritten(check)]
    if len(waiting) == 1:
        waiting = []
    alike: dict[str, list[CheckResult]] = {}
    for check in troubled:
        if check not in waiting:
            alike.setdefault(check.message, []).append(check)
    groups = list(alike.values())
    for group in groups[:FULL_STORIES]:
        _story(results, group, console)
    if rest := groups[FULL_STORIES:]:
        console.print(f"\nLab {lab.lab}: {len(rest)} more, in full in the report:", style="bold")
    for group in rest:
        word, style = _STYLES[group[0].outcome]
        ids = ", ".join(check.id for check in group)
        line = Text.assemble((word, style), " ", ids, (_gist(group[0].message), "dim"))
        console.print(line, soft_wrap=True)
    if waiting:
        _not_written(results, waiting, console)


def _unwritten(check: CheckResult) -> str | None:
    """The function that the check met and that is not written."""
    met = _NOT_WRITTEN.search(check.message) if check.outcome is Outcome.FAIL else None
    return harmless(met[1]).strip() if met else None


def _not_written(results: Results, waiting: Sequence[CheckResult], console: Console) -> None:
    functions = list(dict.fromkeys(_unwritten(check) or "" for check in waiting))
    told = f" {len(waiting)} checks wait for {', '.join(functions)}. The first one:"
    console.print()
    console.print(Text.assemble(("not written yet:", "bold red"), told))
    _story(results, waiting[:1], console)


def _gist(message: str) -> str:
    """The line that says what went wrong."""
    lines = [line.strip() for line in harmless(message).splitlines() if line.strip()]
    at = next((n for n, line in enumerate(lines) if line.startswith("actual:")), len(lines) - 1)
    gist = " ".join(lines[at : at + 2] if lines[at].endswith(":") else lines[at : at + 1]) if lines else ""
    gist = gist.removeprefix("actual:").strip()
    return f" · {gist if len(gist) <= GIST_COLUMNS else gist[: GIST_COLUMNS - 1] + '…'}"


def _story(results: Results, group: Sequence[CheckResult], console: Console) -> None:
    check = group[0]
    word, style = _STYLES[check.outcome]
    console.print()
    console.print(Text.assemble((word, style), " ", (check.id, "bold"), f" · {check.title}"))
    if len(group) > 1:
        others = ", ".join(other.id for other in group[1:])
        console.print(Text(f"and {len(group) - 1} more with the same story: {others}"))
    lines = harmless(check.message).splitlines() or ["(no message)"]
    console.print(Padding(Text("\n".join(_shortened(lines))), (0, 0, 0, 2)))
    for label, text in (("why it matters", check.why), ("where to look", check.hint)):
        if text and len(group) == 1:  # Of many, each has its own.
            console.print(Padding(Text.assemble((f"{label}: ", "cyan"), text), (0, 0, 0, 2)))
    if check.replay:  # In one piece, to be copied.
        line = Text.assemble(("  replay: ", "cyan"), harmless(results.replay_command(check)))
        console.print(line, soft_wrap=True)
    if check.view:
        console.print(Text.assemble(("  look at: ", "cyan"), harmless(check.view)), soft_wrap=True)


def _shortened(lines: list[str]) -> list[str]:
    """What fits a screen: the middle of the steps goes, then most of the logs; what was expected and
    what is stay whole."""
    if len(lines) <= STORY_LINES:
        return lines
    begin = next((at for at, line in enumerate(lines) if _JUDGED.match(line)), None)
    if begin is None:
        return _middle_out(lines, STORY_LINES)
    end = next((at for at in range(begin, len(lines)) if _TAILS.match(lines[at])), len(lines))
    tails = _middle_out(lines[end:], TAIL_LINES)
    room = STORY_LINES - (end - begin) - len(tails)
    return [*_middle_out(lines[:begin], max(room, FEWEST_STEPS)), *lines[begin:end], *tails]


def _middle_out(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    half = most // 2
    told = f"… {len(lines) - 2 * half} lines more in the report"
    return [*lines[:half], told, *lines[len(lines) - half :]]


def _closing(results: Results) -> Text:
    word, style = _STYLES[results.outcome]
    checks = [check for lab in results.labs for check in lab.checks]
    counts = {outcome: sum(c.outcome is outcome for c in checks) for outcome in Outcome}
    told = ", ".join(f"{n} {outcome.value}" for outcome, n in counts.items() if n)
    return Text.assemble(
        "\n",
        (f"{results.points}/{results.max_points} points" if results.max_points else "ungraded", "bold"),
        f" · {told} · seed {results.seed} · {results.seconds:.1f} s · {harmless(results.solution)} · ",
        (word, style),
    )


def plain(message: str) -> Text:
    """What a solution or a check said, without any power over the terminal."""
    return Text(harmless(message))
