"""Lab 1 with real processes: what only a process, a disk, a kill or a pause can show.

Counts and states are judged, never milliseconds: each wait ends when its condition holds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest
from dynamolab.cluster import Cluster, NodeClient, listed, words

MakeCluster = Callable[..., Cluster]
Change = tuple[str, str]  # Subject, "join" or "leave".


def changes_of(history: dict[str, Any]) -> list[Change]:
    """A history as (subject, change), in version order."""
    return [(event["subject"], event["change"]) for event in history["events"]]


def expect_changes(history: dict[str, Any], expected: list[Change], when: str) -> None:
    """Exactly these changes, in any order of versions that arose."""
    actual = changes_of(history)
    assert sorted(actual) == sorted(expected), (
        f"expected: {when}, the history holds exactly these changes: "
        f"{words.changes_words(expected)}\nactual: {words.changes_words(actual)}"
    )


def expect_distinct_versions(history: dict[str, Any]) -> None:
    versions = [tuple(event["version"].values()) for event in history["events"]]
    assert len(set(versions)) == len(versions), (
        f"expected: no two events share a version\nactual: {versions_of(history['events'])}"
    )


def versions_of(events: list[dict[str, Any]]) -> str:
    """Who joins or leaves by which version: "n2 joins (2, n1, disk 7)"."""
    return "; ".join(
        f"{event['subject']} {event['change']}s ({event['version']['counter']}, "
        f"{event['version']['node']}, disk {event['version']['incarnation']})"
        for event in events
    )


@pytest.mark.check("membership.real_nodes_agree_after_adds")
def test_real_nodes_agree_after_adds(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5)
    cluster.start("n1", bootstrap=True)
    cluster.start("n2", "n3", "n4", "n5")
    cluster.wait_for(
        "n2 to n5 have asked their seed n1: it is the only member, and they are none yet",
        lambda: {name: view["members"] for name, view in cluster.views().items()},
        lambda seen: all(members == ["n1"] for members in seen.values()),
    )
    cluster.story.tell("n2 to n5 know from their seed that n1 is the only member")

    # Each newcomer adds the next one: knowledge has to travel before it can be used.
    members = ["n1"]
    for subject, via in [("n2", "n1"), ("n3", "n2"), ("n4", "n3"), ("n5", "n1")]:
        cluster.add(subject, via=via)
        members.append(subject)
        cluster.wait_members(members, names=members)

    cluster.remove("n5", via="n4")
    cluster.wait_members(["n1", "n2", "n3", "n4"], names=["n1", "n2", "n3", "n4"])
    cluster.add("n5", via="n2")
    cluster.wait_members(["n1", "n2", "n3", "n4", "n5"])
    joins = [(name, "join") for name in ["n1", "n2", "n3", "n4", "n5"]]
    history = cluster.wait_same_history()
    expect_changes(history, [*joins, ("n5", "leave"), ("n5", "join")], "after these changes")
    expect_distinct_versions(history)


@pytest.mark.check("membership.console_and_clients_get_clear_errors")
def test_console_and_clients_get_clear_errors(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3)
    cluster.start("n1", bootstrap=True)
    cluster.start("n2")

    def expect_error(
        name: str, what: str, method: str, path: str, status: int, code: str
    ) -> None:
        cluster.story.tell(f"{name} is asked to {what}")
        answer = cluster.ask(name, lambda client: client.request(method, path, body=b""))
        assert (answer.status, answer.error_code) == (status, code), (
            f"expected: {name} answers {method} {path} with {status} {code}\nactual: {answer}"
        )

    expect_error("n2", "keep a key, but it is no member", "PUT", "/kv/cart", 503, "not_a_member")
    expect_error("n2", "read a key, but it is no member", "GET", "/kv/cart", 503, "not_a_member")
    expect_error(
        "n2", "add n3, but is no member itself", "POST", "/admin/members/n3", 503, "not_a_member"
    )
    expect_error(
        "n1", "remove n2, which is no member", "DELETE", "/admin/members/n2", 404, "not_found"
    )
    expect_error("n1", "add itself", "POST", "/admin/members/n1", 400, "invalid_argument")
    expect_error("n1", "add an unknown name", "POST", "/admin/members/n9", 400, "invalid_argument")
    cluster.add("n2", via="n1")
    expect_error("n1", "add n2 again", "POST", "/admin/members/n2", 409, "already_exists")
    cluster.wait_members(["n1", "n2"])
    expect_error("n2", "add n1, a member", "POST", "/admin/members/n1", 409, "already_exists")
    expect_changes(
        cluster.wait_same_history(), [("n1", "join"), ("n2", "join")], "after seven refusals"
    )


@pytest.mark.check("membership.acknowledged_change_survives_kill")
def test_acknowledged_change_survives_kill(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3)
    cluster.start("n1", bootstrap=True)
    incarnation = cluster.ask("n1", NodeClient.view)["incarnation"]
    expected: list[Change] = [("n1", "join")]
    before: dict[str, Any] = {"events": []}

    # n1 is alone: what it forgets, nobody can tell it.
    for act, subject in [("add", "n2"), ("add", "n3"), ("remove", "n2"), ("add", "n2")]:
        if act == "add":
            cluster.add(subject, via="n1")
        else:
            cluster.remove(subject, via="n1")
        cluster.kill("n1")
        expected.append((subject, "join" if act == "add" else "leave"))
        cluster.restart("n1")
        after = cluster.ask("n1", NodeClient.history)
        assert changes_of(after) == expected, (
            f"expected: after the restart n1 knows all that it had confirmed, in this order, and "
            f"nothing more: {words.changes_words(expected)}\n"
            f"actual: {words.changes_words(changes_of(after))}"
        )
        kept = after["events"][: len(before["events"])]
        assert kept == before["events"], (
            f"expected: old events keep their versions: {versions_of(before['events'])}\n"
            f"actual: {versions_of(kept)}"
        )
        before = after
    seen = cluster.ask("n1", NodeClient.view)["incarnation"]
    assert seen == incarnation, (
        f"expected: n1 comes back with its disk's incarnation {incarnation}\nactual: {seen}"
    )

    cluster.start("n2", "n3")
    cluster.wait_members(["n1", "n2", "n3"])
    digest = cluster.wait_same_history()["digest"]
    cluster.kill("n1", "n2", "n3")
    cluster.restart("n1", "n2", "n3")
    for name in cluster.names:
        history = cluster.ask(name, NodeClient.history)
        assert history["digest"] == digest, (
            f"expected: all were killed and restarted, so {name} still has the same history "
            f"(digest {digest})\nactual: {words.changes_words(changes_of(history))}"
        )


@pytest.mark.check("membership.wiped_node_recovers_the_history")
def test_wiped_node_recovers_the_history(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(4)
    cluster.form(["n1", "n2", "n3"])
    cluster.add("n4", via="n3")
    history = cluster.wait_same_history()
    old = cluster.ask("n3", NodeClient.view)["incarnation"]

    cluster.kill("n3")
    cluster.wipe("n3")
    cluster.start("n3")
    new = cluster.ask("n3", NodeClient.view)["incarnation"]
    assert new != old, f"expected: a new disk has a new incarnation\nactual: {new}, as before"
    recovered = cluster.wait_same_history()
    assert recovered["events"] == history["events"], (
        f"expected: n3 learns the history from its seeds, and nobody adds to it: "
        f"{versions_of(history['events'])}\nactual: {versions_of(recovered['events'])}"
    )
    cluster.wait_members(["n1", "n2", "n3", "n4"])

    cluster.remove("n4", via="n3")
    cluster.wait_members(["n1", "n2", "n3"])
    newest = cluster.wait_same_history()
    expect_distinct_versions(newest)
    expect_changes(newest, [*changes_of(history), ("n4", "leave")], "after one more change")
    maker = newest["events"][-1]["version"]
    assert (maker["node"], maker["incarnation"]) == ("n3", new), (
        f"expected: the newest event is n3's, with its new incarnation {new}\nactual: {maker}"
    )


@pytest.mark.check("membership.rolling_kills_while_changes_are_made")
def test_rolling_kills_while_changes_are_made(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(names=["n1", "n2", "n3", "n4", "x1", "x2", "x3", "x4"])
    cluster.form(["n1", "n2", "n3", "n4"])
    expected: list[Change] = [(name, "join") for name in ["n1", "n2", "n3", "n4"]]
    rounds = [("x1", "n1", "n3"), ("x2", "n2", "n4"), ("x3", "n1", "n3"), ("x4", "n2", "n4")]
    for subject, via, bystander in rounds:
        cluster.kill(bystander)
        cluster.add(subject, via=via)
        cluster.kill(via)
        expected.append((subject, "join"))
        cluster.restart(via, bystander)
    cluster.wait_members([subject for subject, _ in expected])
    history = cluster.wait_same_history()
    expect_changes(history, expected, "after four changes and eight kills")
    expect_distinct_versions(history)


@pytest.mark.check("membership.converges_though_messages_are_lost_doubled_and_late")
def test_converges_though_messages_are_lost_doubled_and_late(make_cluster: MakeCluster) -> None:
    faults = {"loss_ppm": 200_000, "duplicate_ppm": 200_000, "delay_max_ms": 60}
    cluster = make_cluster(5, links=faults)
    cluster.story.tell("of all messages a fifth is lost, a fifth doubled, all are up to 60 ms late")
    cluster.form()
    cluster.remove("n5", via="n2")
    cluster.remove("n4", via="n3")
    cluster.wait_members(["n1", "n2", "n3"], names=["n1", "n2", "n3"])
    cluster.add("n4", via="n1")
    cluster.add("n5", via="n2")
    cluster.wait_members(cluster.names)
    joins: list[Change] = [(name, "join") for name in cluster.names]
    more: list[Change] = [("n4", "leave"), ("n5", "leave"), ("n4", "join"), ("n5", "join")]
    expect_changes(cluster.wait_same_history(), [*joins, *more], "after these changes")


@pytest.mark.check("membership.quiet_cluster_gossips_digests")
def test_quiet_cluster_gossips_digests(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3)
    cluster.form()
    short = usual_bytes(cluster)
    for _ in range(25):
        cluster.remove("n3", via="n1")
        cluster.add("n3", via="n1")
    cluster.wait_members(cluster.names)
    events = len(cluster.wait_same_history()["events"])
    long = usual_bytes(cluster)
    for kind, before in short.items():
        assert long[kind] <= before + 32, (
            f"expected: a quiet cluster's {kind} of gossip is as short with {events} events as with 3 "
            f"({before:.0f} bytes)\nactual: {long[kind]:.0f} bytes"
        )


def usual_bytes(cluster: Cluster, messages: int = 24) -> dict[str, float]:
    """The median size of the next quiet gossip messages: requests, replies. About 15 rounds
    are left out, since they may still carry the last change."""
    all_before = 45

    def sizes() -> dict[str, list[int]]:
        seen: dict[str, list[int]] = {"request": [], "reply": []}
        for kind, size in cluster.message_sizes("Gossip")[start:]:
            seen[kind].append(size)
        return seen

    start = len(cluster.message_sizes("Gossip"))
    seen = cluster.wait_for(
        f"{messages} rounds of gossip", sizes,
        lambda now: min(map(len, now.values())) >= all_before + messages,
    )
    return {kind: statistics.median(all_[all_before:]) for kind, all_ in seen.items()}


def suspects_of(name: str) -> Callable[[list[str]], str]:
    """Says whom a node suspects, for a wait that expires."""
    return lambda suspects: f"{name} suspects {listed(suspects) or 'nobody'}"


@pytest.mark.check("membership.paused_node_is_suspected_and_stays_a_member")
def test_paused_node_is_suspected_and_stays_a_member(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(names=["n1", "n2", "n3", "n4", "x1"])
    members = ["n1", "n2", "n3", "n4"]
    cluster.form(members)
    others = ["n1", "n2", "n4"]
    cluster.pause("n3")
    for name in others:
        cluster.wait_for(
            f"{name} suspects n3, which answers nothing",
            lambda name=name: cluster.ask(name, NodeClient.suspects),
            lambda suspects: "n3" in suspects,
            words=suspects_of(name),
        )
    cluster.story.tell("n1, n2 and n4 suspect n3")
    for name, view in cluster.views(others).items():
        assert view["members"] == members, (
            f"expected: n3 is suspected, and still a member: {listed(members)}\n"
            f"actual: {name} sees {listed(view['members'])}"
        )
    joins: list[Change] = [(name, "join") for name in members]
    expect_changes(cluster.wait_same_history(others), joins, "with n3 suspected")

    cluster.add("x1", via="n2")
    cluster.resume("n3")
    for name in others:
        cluster.wait_for(
            f"{name} trusts n3 again, which answers again",
            lambda name=name: cluster.ask(name, NodeClient.suspects),
            lambda suspects: "n3" not in suspects,
            words=suspects_of(name),
        )
    cluster.story.tell("nobody suspects n3 any more")
    cluster.wait_members([*members, "x1"])
    expect_changes(cluster.wait_same_history(), [*joins, ("x1", "join")], "after the pause")


@pytest.mark.check("membership.partition_heals_by_itself")
def test_partition_heals_by_itself(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(names=["n1", "n2", "n3", "n4", "n5", "x1", "x2", "x3"])
    members = ["n1", "n2", "n3", "n4", "n5"]
    cluster.form(members)

    # One direction: n5 hears the others, and they hear nothing from it.
    cluster.cut("n5", ["n1", "n2", "n3", "n4"])
    cluster.wait_for(
        "n1 suspects n5, whose answers are lost",
        lambda: cluster.ask("n1", NodeClient.suspects),
        lambda suspects: "n5" in suspects,
        words=suspects_of("n1"),
    )
    cluster.add("x1", via="n5")
    cluster.heal()
    cluster.wait_members([*members, "x1"])

    left, right = ["n1", "n2", "n3"], ["n4", "n5"]
    cluster.partition(left, right)
    cluster.add("x2", via="n1")
    cluster.remove("x1", via="n4")
    cluster.wait_members([*members, "x1", "x2"], names=left)
    cluster.wait_members(members, names=right)
    for one, other in [("n1", right), ("n4", left)]:
        cluster.wait_for(
            f"{one} suspects the other side",
            lambda one=one: cluster.ask(one, NodeClient.suspects),
            lambda suspects, other=other: set(other) <= set(suspects),
            words=suspects_of(one),
        )
    cluster.heal()
    cluster.wait_members([*members, "x2"])
    joins: list[Change] = [(name, "join") for name in [*members, "x1", "x2"]]
    expect_changes(cluster.wait_same_history(), [*joins, ("x1", "leave")], "after the partition")
    for one, other in [("n1", right), ("n4", left)]:
        cluster.wait_for(
            f"{one} trusts the other side again",
            lambda one=one: cluster.ask(one, NodeClient.suspects),
            lambda suspects, other=other: not set(other) & set(suspects),
            words=suspects_of(one),
        )
