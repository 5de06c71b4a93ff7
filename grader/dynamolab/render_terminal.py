"""A graded run on the terminal: the table with points, then each failure as a story."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dynamolab.results import CheckResult, LabResult, Outcome, Results
from dynamolab.ui import harmless

_STYLES = {
    Outcome.PASS: ("PASS", "green"),
    Outcome.FAIL: ("FAIL", "bold red"),
    Outcome.SKIP: ("SKIP", "yellow"),
    Outcome.INCONCLUSIVE: ("INCONCLUSIVE", "magenta"),
}
STORY_LINES = 40  # The middle of a longer message is in the report.
FULL_STORIES = 5  # A lab.
GIST_COLUMNS = 100


def render(results: Results, console: Console) -> None:
    """Everything that a person wants to know, the most important last."""
    for lab in results.labs:
        console.print(_table(lab))
    for lab in results.labs:
        _failures(lab, console)
    console.print(_closing(results))


def _table(lab: LabResult) -> Table:
    table = Table(title=f"Lab {lab.lab}: {lab.title}", title_justify="left", title_style="bold")
    table.add_column("part", justify="center")
    table.add_column("check", overflow="fold", ratio=1)
    table.add_column("kind")
    table.add_column("outcome", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for part, group in groupby(lab.checks, key=lambda check: check.part):
        checks = list(group)
        for check in checks:
            word, style = _STYLES[check.outcome]
            table.add_row(
                part,
                Text.assemble(check.title, "\n", (check.id, "dim")),
                check.kind,
                Text(word, style),
                f"{check.points}/{check.max_points}",
                f"{check.seconds:.2f}",
            )
        table.add_section()
        points = f"{sum(c.points for c in checks)}/{sum(c.max_points for c in checks)}"
        seconds = f"{sum(c.seconds for c in checks):.2f}"
        title = Text(f"Part {part}: {lab.parts.get(part, '')}", "bold")
        table.add_row("", title, "", "", Text(points, "bold"), seconds)
        table.add_section()
    points = f"{lab.points}/{lab.max_points}"
    table.add_row("", Text(f"Lab {lab.lab}", "bold"), "", "", Text(points, "bold"), "")
    return table


def _failures(lab: LabResult, console: Console) -> None:
    """One story for each message (a solution that does not compile fails all checks in one way). Of
    many, the first few in full, a line for each of the rest: work goes top down."""
    troubled = [c for c in lab.checks if c.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)]
    alike: dict[str, list[CheckResult]] = {}
    for check in troubled:
        alike.setdefault(check.message, []).append(check)
    groups = list(alike.values())
    for group in groups[:FULL_STORIES]:
        _story(group, console)
    if rest := groups[FULL_STORIES:]:
        console.print(f"\nLab {lab.lab}: {len(rest)} more, in full in the report:", style="bold")
    for group in rest:
        word, style = _STYLES[group[0].outcome]
        line = Text.assemble((word, style), " ", group[0].id, (_gist(group[0].message), "dim"))
        console.print(line, soft_wrap=True)


def _gist(message: str) -> str:
    """The line that says what went wrong."""
    lines = [line.strip() for line in harmless(message).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("actual:")), lines[-1] if lines else "")
    gist = told.removeprefix("actual:").strip()
    return f" · {gist if len(gist) <= GIST_COLUMNS else gist[: GIST_COLUMNS - 1] + '…'}"


def _story(group: Sequence[CheckResult], console: Console) -> None:
    check = group[0]
    word, style = _STYLES[check.outcome]
    more = f" and {len(group) - 1} more" if len(group) > 1 else f" · {check.title}"
    console.print()
    console.print(Text.assemble((word, style), " ", (check.id, "bold"), more))
    lines = harmless(check.message).splitlines() or ["(no message)"]
    if len(lines) > STORY_LINES:
        told = f"… {len(lines) - STORY_LINES} lines more in the report"
        lines = [*lines[: STORY_LINES // 2], told, *lines[-STORY_LINES // 2 :]]
    console.print(Padding(Text("\n".join(lines)), (0, 0, 0, 2)))
    if len(group) > 1:
        return
    for label, text in (("why it matters", check.why), ("where to look", check.hint)):
        if text:
            console.print(Padding(Text.assemble((f"{label}: ", "cyan"), text), (0, 0, 0, 2)))
    if check.replay:  # In one piece, to be copied.
        line = Text.assemble(("  replay: ", "cyan"), f"./lab replay {harmless(check.replay)}")
        console.print(line, soft_wrap=True)


def _closing(results: Results) -> Text:
    word, style = _STYLES[results.outcome]
    checks = [check for lab in results.labs for check in lab.checks]
    counts = {outcome: sum(c.outcome is outcome for c in checks) for outcome in Outcome}
    told = ", ".join(f"{n} {outcome.value}" for outcome, n in counts.items() if n)
    return Text.assemble(
        "\n",
        (f"{results.points}/{results.max_points} points", "bold"),
        f" · {told} · seed {results.seed} · {results.seconds:.1f} s · {harmless(results.solution)} · ",
        (word, style),
    )


def plain(message: str) -> Text:
    """What a solution or a check said, without any power over the terminal."""
    return Text(harmless(message))
