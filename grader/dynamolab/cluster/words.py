"""What a check saw of real nodes, in the words that the simulator uses: no JSON, no brackets of Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST_NAMED = 3  # Of a node's missing events; the rest is counted.

Event = Mapping[str, Any]


def listed(names: Iterable[str]) -> str:
    """"n1, n2 and n3"."""
    all_names = list(names)
    if len(all_names) < 2:
        return "".join(all_names)
    return ", ".join(all_names[:-1]) + " and " + all_names[-1]


def event_words(event: Event) -> str:
    """"n1's add of n3"; a node that adds itself was bootstrapped."""
    maker, subject = event["version"]["node"], event["subject"]
    if event["change"] == "join" and maker == subject:
        return f"{maker}'s first join"
    return f"{maker}'s {'add' if event['change'] == 'join' else 'remove'} of {subject}"


def histories_differ(histories: Mapping[str, Sequence[Event]]) -> list[str]:
    """For each node what it lacks that another one has: "n4 lacks n1's add of n3". Empty: all agree."""
    known = {_version(event): event for events in histories.values() for event in events}
    lines = []
    for name, events in histories.items():
        mine = {_version(event) for event in events}
        missing = [event for version, event in sorted(known.items()) if version not in mine]
        if not missing:
            continue
        named = [event_words(event) for event in missing[:MOST_NAMED]]
        if more := len(missing) - len(named):
            named.append(_events(more) + " more")
        lines.append(f"{name} lacks {listed(named)} ({_events(len(missing))})")
    return lines


def members_differ(members: Mapping[str, Sequence[str]], wanted: Sequence[str]) -> list[str]:
    """For each node how what it sees differs from what is wanted: "n4 does not see n3"."""
    lines = []
    for name, seen in members.items():
        missing = [node for node in wanted if node not in seen]
        strange = [node for node in seen if node not in wanted]
        told = [f"does not see {listed(missing)}"] if missing else []
        told += [f"still sees {listed(strange)}"] if strange else []
        if told:
            lines.append(f"{name} {' and '.join(told)}: its members are {listed(seen) or 'none'}")
    return lines


def changes_words(changes: Iterable[tuple[str, str]]) -> str:
    """"n1 joins, n2 leaves", from (subject, "join") and the like."""
    return ", ".join(f"{subject} {change}s" for subject, change in changes) or "no changes"


def seen_words(state: object) -> str:
    """Any state that was waited for, for a person."""
    if isinstance(state, (list, tuple, set)):
        return listed(map(seen_words, state)) or "nothing"
    if isinstance(state, Mapping):
        return "".join(f"\n  {key}: {seen_words(value)}" for key, value in state.items())
    return str(state)


def _version(event: Event) -> tuple[int, str, int]:
    version = event["version"]
    return version["counter"], version["node"], version["incarnation"]


def _events(count: int) -> str:
    return f"{count} event" + ("" if count == 1 else "s")
