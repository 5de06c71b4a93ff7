"""A graded run on the terminal: the table with points, then each failure as a story."""

from __future__ import annotations

from collections.abc import Iterable
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
STORY_LINES = 40  # The rest of a longer message is in the report.


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
    """One story for each message: a solution that does not compile fails all checks in one way."""
    troubled = [
        check for check in lab.checks if check.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
    ]
    told: set[str] = set()
    for check in troubled:
        if check.message in told:
            continue
        same = [other for other in troubled if other.message == check.message]
        told.add(check.message)
        _story(check, same, console)


def _story(check: CheckResult, same: Iterable[CheckResult], console: Console) -> None:
    word, style = _STYLES[check.outcome]
    ids = [other.id for other in same]
    heading = Text.assemble(
        (word, style), " ", (ids[0], "bold"), "" if len(ids) == 1 else f" and {len(ids) - 1} more"
    )
    if len(ids) == 1:
        heading.append(f" · {check.title}")
    console.print()
    console.print(heading)
    lines = harmless(check.message).splitlines() or ["(no message)"]
    if len(lines) > STORY_LINES:
        lines = [*lines[:STORY_LINES], f"… {len(lines) - STORY_LINES} lines more in the report"]
    console.print(Padding(Text("\n".join(lines)), (0, 0, 0, 2)))
    if len(ids) == 1:
        for label, text in (("why it matters", check.why), ("where to look", check.hint)):
            if text:
                console.print(Padding(Text.assemble((f"{label}: ", "cyan"), text), (0, 0, 0, 2)))
        if check.replay:
            console.print(
                Padding(
                    Text.assemble(("replay: ", "cyan"), f"./lab replay {check.replay}"),
                    (0, 0, 0, 2),
                )
            )


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
