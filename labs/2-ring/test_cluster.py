"""Lab 2 with real processes: the same ring in every process, after every past, with every failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from dynamolab.cluster import Cluster, NodeClient, listed

MakeCluster = Callable[..., Cluster]
KEYS = [f"cart-{number}" for number in range(24)]
SUSPECT_S = 30.0
# On a busy machine somebody may be suspected and cleared again between two looks at who is; nobody is so
# often in vain.
WRONG_LOOKS = 20


def same_ring(cluster: Cluster, names: Iterable[str]) -> dict[str, Any]:
    """The ring that all of them give; they hold the same history, so they must."""
    rings = {name: cluster.ask(name, NodeClient.ring) for name in names}
    first_name, first = next(iter(rings.items()))
    for name, ring in rings.items():
        moved = sum(a != b for a, b in zip(first["owners"], ring["owners"], strict=False))
        assert ring == first, (
            f"expected: {first_name} and {name} have the same history, so the same ring\n"
            f"actual: {moved} of {len(first['owners'])} vnodes differ, with "
            f"{loads_words(first)} there and {loads_words(ring)} here"
        )
    return first


def loads_of(ring: dict[str, Any]) -> dict[str, int]:
    return dict(sorted(Counter(ring["owners"]).items()))


def loads_words(ring: dict[str, Any]) -> str:
    """"205 of n1, 204 of n2 and 615 of n3"."""
    return listed(f"{count} of {host}" for host, count in loads_of(ring).items()) or "no vnodes"


def hosts_words(hosts: list[str]) -> str:
    """A list of hosts, in its order, as the console draws it."""
    return " → ".join(hosts) or "nobody"


def places_words(places: list[dict[str, str]]) -> str:
    """An active list: "n1 → n5 (for n2) → n3"."""
    stand_in = "{host} (for {stands_in_for})"
    return hosts_words(
        [stand_in.format(**place) if place["stands_in_for"] else place["host"] for place in places]
    )


def expect_even(ring: dict[str, Any], members: list[str]) -> None:
    loads = loads_of(ring)
    assert len(ring["owners"]) == ring["q"] and sorted(loads) == sorted(members), (
        f"expected: {ring['q']} vnodes, each owned by one of {listed(members)}\n"
        f"actual: {loads_words(ring)}"
    )
    assert max(loads.values()) - min(loads.values()) <= 1, (
        f"expected: no host has more than one vnode more than another\n"
        f"actual: {loads_words(ring)}"
    )


def walk(ring: dict[str, Any], vnode: int) -> list[str]:
    """The distinct hosts clockwise from a vnode: what every list is taken from."""
    owners = ring["owners"]
    return list(dict.fromkeys([*owners[vnode:], *owners[:vnode]]))


def active_from(ring: dict[str, Any], vnode: int, dead: set[str]) -> list[dict[str, str]]:
    """What the active list of a vnode must be: LABS' rule, worked out from the ring itself."""
    hosts = walk(ring, vnode)
    preference = hosts[: ring["n"]]
    spare = [host for host in hosts[ring["n"] :] if host not in dead]
    places = []
    for host in preference:
        if host not in dead:
            places.append({"host": host, "stands_in_for": ""})
        elif spare:
            places.append({"host": spare.pop(0), "stands_in_for": host})
    return places


def expect_placement(ring: dict[str, Any], key: str, placement: dict[str, Any], asked: str) -> None:
    vnode = (int(placement["hash"], 16) * ring["q"]) >> 64
    assert placement["vnode"] == vnode, (
        f"expected: {asked} says that the hash {placement['hash']} of {key} lies in vnode {vnode} of "
        f"{ring['q']}\nactual: vnode {placement['vnode']}"
    )
    wanted = walk(ring, vnode)[: ring["n"]]
    assert placement["preference_list"] == wanted, (
        f"expected: {asked} lists for {key} the first hosts clockwise from vnode {vnode}: "
        f"{hosts_words(wanted)}\nactual: {hosts_words(placement['preference_list'])}"
    )


@pytest.mark.check("ring.every_process_builds_the_same_ring")
def test_every_process_builds_the_same_ring(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5)
    cluster.form()
    expect_even(same_ring(cluster, cluster.names), cluster.names)

    rest = ["n1", "n2", "n4", "n5"]
    cluster.remove("n3", via="n2")
    cluster.wait_members(rest, names=rest)
    cluster.wait_same_history(rest)
    expect_even(same_ring(cluster, rest), rest)

    cluster.add("n3", via="n5")
    cluster.wait_members(cluster.names)
    ring = same_ring(cluster, cluster.names)
    expect_even(ring, cluster.names)
    cluster.story.tell(f"every node is asked for the places of {len(KEYS)} keys")
    for key in KEYS:
        for name in cluster.names:
            placement = cluster.ask(name, lambda client: client.placement(key))  # noqa: B023
            expect_placement(ring, key, placement, name)


@pytest.mark.check("ring.kill_and_restart_rebuild_the_same_ring")
def test_kill_and_restart_rebuild_the_same_ring(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(4)
    cluster.form()
    cluster.remove("n2", via="n1")
    cluster.add("n2", via="n1")
    cluster.wait_members(cluster.names)
    before = same_ring(cluster, cluster.names)

    cluster.kill("n3")
    cluster.restart("n3")
    after = cluster.ask("n3", NodeClient.ring)
    assert after == before, (
        f"expected: n3 has the ring that it had before the kill: {loads_words(before)}\n"
        f"actual: {sum(a != b for a, b in zip(before['owners'], after['owners'], strict=False))} "
        f"vnodes differ: {loads_words(after)}"
    )

    # The others learn this change one by one, n3 the whole history at once.
    cluster.kill("n3")
    cluster.wipe("n3")
    cluster.remove("n4", via="n1")
    cluster.start("n3")
    rest = ["n1", "n2", "n3"]
    cluster.wait_members(rest, names=rest)
    ring = same_ring(cluster, rest)
    expect_even(ring, rest)

    cluster.kill(*rest)
    cluster.restart(*rest)
    again = same_ring(cluster, rest)
    assert again == ring, (
        f"expected: the same ring after all were killed and restarted: {loads_words(ring)}\n"
        f"actual: {loads_words(again)}"
    )


def wait_active(cluster: Cluster, asked: str, ring: dict[str, Any], dead: set[str]) -> None:
    """Until `asked` takes exactly `dead` for dead; then all keys' lists must follow from that."""
    whom = listed(sorted(dead)) or "nobody"
    wrong_looks = 0

    def wrong(places: dict[str, Any]) -> str:
        for key, placement in places.items():
            expect_placement(ring, key, placement, asked)
            wanted = active_from(ring, placement["vnode"], dead)
            if placement["active_list"] != wanted:
                return (
                    f"expected: with {whom} suspected, {asked} gives for {key} the active list "
                    f"{places_words(wanted)}\nactual: {places_words(placement['active_list'])}"
                )
        return ""

    def look() -> dict[str, Any]:
        nonlocal wrong_looks
        before = set(cluster.ask(asked, NodeClient.suspects))
        places = {
            key: cluster.ask(asked, lambda client: client.placement(key))  # noqa: B023
            for key in KEYS
        }
        after = set(cluster.ask(asked, NodeClient.suspects))
        steady = before == after == dead
        problem = wrong(places) if steady else ""
        if problem:
            wrong_looks += 1
            assert wrong_looks < WRONG_LOOKS, problem
        return {"suspects": sorted(before | after), "steady": steady, "wrong": problem}

    cluster.wait_for(
        f"{asked} suspects {whom} while it is asked for all keys",
        look,
        lambda now: now["steady"] and not now["wrong"],
        SUSPECT_S,
        words=lambda now: now["wrong"] or f"{asked} suspects {listed(now['suspects']) or 'nobody'}",
    )
    cluster.story.tell(
        f"{asked} suspects {whom}: the active lists of all keys are right"
    )


@pytest.mark.check("ring.stand_in_while_a_host_is_paused")
def test_stand_in_while_a_host_is_paused(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5)
    cluster.form()
    ring = same_ring(cluster, cluster.names)
    wait_active(cluster, "n1", ring, set())
    cluster.pause("n3")
    wait_active(cluster, "n1", ring, {"n3"})
    running = ["n1", "n2", "n4", "n5"]
    paused = same_ring(cluster, running)
    assert paused == ring, (
        f"expected: a paused host changes nothing in the ring: {loads_words(ring)}\n"
        f"actual: {loads_words(paused)}"
    )
    cluster.resume("n3")
    wait_active(cluster, "n1", ring, set())


@pytest.mark.check("ring.two_killed_hosts_leave_distinct_healthy_hosts")
def test_two_killed_hosts_leave_distinct_healthy_hosts(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5)
    cluster.form()
    ring = same_ring(cluster, cluster.names)
    cluster.kill("n2", "n4")
    wait_active(cluster, "n5", ring, {"n2", "n4"})
    cluster.kill("n3")
    wait_active(cluster, "n5", ring, {"n2", "n3", "n4"})
    killed = same_ring(cluster, ["n1", "n5"])
    assert killed == ring, (
        f"expected: killed hosts keep their vnodes: {loads_words(ring)}\nactual: {loads_words(killed)}"
    )
    cluster.restart("n2", "n3", "n4")
    wait_active(cluster, "n5", ring, set())
