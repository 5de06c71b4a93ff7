// Lab 2's checks of parts A and B on one node. Placement is free: ring_rules.h says what must hold.
#include "ring_asking.h"
#include "sim/retell.h"

using namespace dynamo;
using namespace dynamo::ring_rules;
using namespace dynamo::sim;

namespace {

// ---- Part A: one token a node -------------------------------------------------------------------

/// The hosts by token, as (token, host).
std::vector<std::pair<KeyHash, NodeId>> tokens_of(const std::vector<NodeId>& hosts) {
  std::vector<std::pair<KeyHash, NodeId>> found;
  found.reserve(hosts.size());
  for (const NodeId& host : hosts) found.emplace_back(hash_of(host), host);
  std::sort(found.begin(), found.end());
  return found;
}

/// Distance clockwise decides: the shorter the way from `key` to a host's token, the earlier.
std::vector<NodeId> by_distance(const std::vector<NodeId>& hosts, KeyHash key, std::size_t count) {
  std::vector<std::pair<KeyHash, NodeId>> ways;
  ways.reserve(hosts.size());
  for (const NodeId& host : hosts) ways.emplace_back(hash_of(host) - key, host);
  std::sort(ways.begin(), ways.end());
  std::vector<NodeId> nearest;
  nearest.reserve(ways.size());
  for (const auto& [way, host] : ways) nearest.push_back(host);
  nearest.resize(std::min(count, nearest.size()));
  return nearest;
}

std::string tokens_text(const std::vector<NodeId>& hosts) {
  std::string told;
  for (const auto& [token, host] : tokens_of(hosts)) {
    told += (told.empty() ? "" : ", ") + host + " at " + std::to_string(token);
  }
  return told.empty() ? "there are none" : told;
}

void judge_successors(Lone& lone, const std::vector<NodeId>& hosts, KeyHash key,
                      std::size_t count) {
  const std::vector<NodeId> right = by_distance(hosts, key, count);
  const std::vector<NodeId> found = lone.invoke<&Ring::successors>(hosts, key, count);
  if (found != right) {
    violation(std::to_string(right.size()) + (right.size() == 1 ? " host, the" : " hosts, the") +
                  " first clockwise from key hash " + std::to_string(key) + ": " + text(right) +
                  " (the tokens, which are the hashes of the names: " + tokens_text(hosts) + ")",
              "successors() says " + text(found));
  }
  passed();
}

}  // namespace

TEST(ring, token_walk_visits_hosts_clockwise_from_the_key) {
  Lone lone(ring_of(8));
  Random random(1);
  for (const std::size_t count : {1, 2, 3, 7, 12}) {
    for (int i = 0; i < 20; ++i) judge_successors(lone, names(12), random.next(), count);
  }
}

TEST(ring, token_at_the_key_itself_comes_first) {
  Lone lone(ring_of(8));
  for (const auto& [token, host] : tokens_of(names(9))) {
    for (const KeyHash key : {token - 1, token, token + 1}) {
      judge_successors(lone, names(9), key, 2);
    }
  }
}

TEST(ring, token_walk_goes_on_past_zero) {
  Lone lone(ring_of(8));
  const auto tokens = tokens_of(names(9));
  for (const KeyHash key : {tokens.back().first + 1, ~KeyHash{0}, KeyHash{0}, tokens.back().first,
                            tokens.front().first, tokens[7].first + 1}) {
    judge_successors(lone, names(9), key, 4);
  }
}

TEST(ring, token_walk_ignores_the_order_of_the_hosts_given) {
  Lone lone(ring_of(8));
  Random random(2);
  std::vector<NodeId> hosts = names(10);
  for (int i = 0; i < 20; ++i) {
    std::swap(hosts[random.below(10)], hosts[random.below(10)]);
    judge_successors(lone, hosts, random.next(), 5);
  }
  std::reverse(hosts.begin(), hosts.end());
  judge_successors(lone, hosts, 0, 10);
}

TEST(ring, token_walk_ends_after_one_round) {
  Lone lone(ring_of(8));
  for (const std::size_t hosts : {0, 1, 2, 5}) {
    for (const std::size_t count : {0, 1, 5, 6, 1000}) {
      judge_successors(lone, names(hosts), KeyHash{1} << 63, count);
    }
    judge_successors(lone, names(hosts), KeyHash{1} << 63, ~std::size_t{0});
  }
}

TEST(ring, arcs_hold_their_first_and_last_hash) {
  for (const std::uint32_t q : {1, 2, 3, 7, 10, 100, 1000, 1023, 1024, 1025}) {
    Lone lone(ring_of(q));
    std::vector<std::tuple<KeyHash>> keys;
    std::vector<VnodeId> right;
    for (VnodeId v = 0; v < q; ++v) {
      keys.emplace_back(first_hash(v, q));
      right.push_back(v);
      keys.emplace_back(first_hash(v, q) - 1);  // before vnode 0 comes the largest hash of all
      right.push_back(v == 0 ? q - 1 : v - 1);
    }
    const std::vector<VnodeId> found = lone.map<&Ring::vnode_of>(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (found[i] == right[i]) continue;
      violation("with Q = " + std::to_string(q) + ", hash " + std::to_string(std::get<0>(keys[i])) +
                    (i % 2 == 0 ? " is the first" : " is the last") + " of vnode " +
                    std::to_string(right[i]),
                "vnode_of() says " + std::to_string(found[i]));
    }
  }
}

TEST(ring, every_hash_lies_on_one_arc) {
  Random random(3);
  for (const std::uint32_t q : {1U, 5U, 1000U, 1024U, 65'536U, 1'000'003U}) {
    Lone lone(ring_of(q));
    std::vector<std::tuple<KeyHash>> keys = {{0}, {~KeyHash{0}}, {KeyHash{1} << 63}};
    for (int i = 0; i < 300; ++i) keys.emplace_back(random.next());
    const std::vector<VnodeId> found = lone.map<&Ring::vnode_of>(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const KeyHash key = std::get<0>(keys[i]);
      const VnodeId v = found[i];
      const bool holds =
          v < q && first_hash(v, q) <= key && (v + 1 == q || key < first_hash(v + 1, q));
      if (holds) continue;
      violation("with Q = " + std::to_string(q) + ", the arc of the vnode holds hash " +
                    std::to_string(key),
                "vnode_of() says " + std::to_string(v));
    }
  }
}

// ---- Part B: who owns each vnode ----------------------------------------------------------------

namespace {

/// What a join brings: "n3 joins as host 3 and gains ⌊100/3⌋ = 33 vnodes".
std::string share_text(const NodeId& joiner, std::uint32_t q, std::size_t members) {
  const std::string count = std::to_string(members);
  return joiner + " joins as host " + count + " and gains ⌊" + std::to_string(q) + "/" + count +
         "⌋ = " + std::to_string(q / members) + " vnodes";
}

/// Where two rings of the same events differ first.
std::string rings_differ(const Owners& one, const Owners& other, const std::string& one_is,
                         const std::string& other_is) {
  if (one.size() != other.size()) {
    return one_is + " there are " + std::to_string(one.size()) + " vnodes, " + other_is + " " +
           std::to_string(other.size());
  }
  const auto [mine, theirs] = std::mismatch(one.begin(), one.end(), other.begin());
  return "they give another ring: " + one_is + " vnode " + std::to_string(mine - one.begin()) +
         " belongs to " + *mine + ", " + other_is + " to " + *theirs;
}

}  // namespace

TEST(ring, no_members_own_nothing_and_the_first_owns_all) {
  for (const std::uint32_t q : {1, 7, 1024}) {
    Lone lone(ring_of(q));
    judge("before the first rebuild nobody owns a vnode",
          ownership_wrong(lone.invoke<&Ring::owners>(), q, {}));
    judge("nobody owns a vnode before anyone joined", balance_wrong(owners_after(lone, {}), q, {}));
    judge("the first host owns every vnode",
          balance_wrong(owners_after(lone, {join("n5", 1)}), q, {"n5"}));
    const std::vector<NodeId> list = lone.invoke<&Ring::preference_list>(q - 1);
    if (list != Owners{"n5"}) violation("the only host keeps every key: [n5]", text(list));
    judge("nothing of an older ring stays: without events nobody owns a vnode",
          balance_wrong(owners_after(lone, {}), q, {}));
    judge("when the last host has left, nobody owns a vnode",
          balance_wrong(owners_after(lone, {join("n5", 1), leave("n5", 2)}), q, {}));
    const std::vector<NodeId> none = lone.invoke<&Ring::preference_list>(0);
    if (!none.empty()) violation("without members a preference list is empty", text(none));
  }
}

TEST(ring, second_host_takes_half_and_the_third_a_third_from_the_other_two) {
  for (const std::uint32_t q : {12, 100, 1024}) {
    Lone lone(ring_of(q));
    const History events = joins(3);
    const Owners one = owners_after(lone, {events[0]});
    const Owners two = owners_after(lone, {events[0], events[1]});
    judge(share_text("n2", q, 2), join_wrong(one, two, "n2", 2));
    const Owners three = owners_after(lone, events);
    judge(share_text("n3", q, 3), join_wrong(two, three, "n3", 3));
    const auto before = loads(two);
    const auto after = loads(three);
    for (const NodeId host : {"n1", "n2"}) {
      const std::size_t gave = before.at(host) - after.at(host);
      if (gave == q / 6 || gave == q / 6 + 1) continue;
      violation("n1 and n2 give n3 half of its third each: about " + std::to_string(q / 6),
                host + " gives " + std::to_string(gave) + "; loads are " + text(after));
    }
  }
}

TEST(ring, loads_differ_by_at_most_one_after_any_joins_and_leaves) {
  Random random(4);
  for (const std::uint32_t q : {1, 5, 16, 100, 128}) {
    Lone lone(ring_of(q));
    Churn churn(random, "n", 1, 11);
    for (int i = 0; i < 40; ++i) {
      churn.step();
      judge("Q = " + std::to_string(q) + ": the loads of " +
                std::to_string(churn.members().size()) + " members differ by at most one",
            balance_wrong(owners_after(lone, churn.events()), q, churn.members()));
      passed(2);  // the ring before the next event
    }
  }
}

TEST(ring, join_moves_only_what_the_joiner_gains) {
  Random random(5);
  for (const std::uint32_t q : {3, 24, 100, 256}) {
    Lone lone(ring_of(q));
    Churn churn(random, "n", 2, 9);
    Owners before;
    for (int i = 0; i < 50; ++i) {
      const Event event = churn.step();
      const Owners after = owners_after(lone, churn.events());
      if (event.change == Change::join) {
        judge(share_text(event.subject, q, churn.members().size()) + "; no other vnode moves",
              join_wrong(before, after, event.subject, churn.members().size()));
      }
      before = after;
      passed(2);  // the ring before the next event
    }
  }
}

TEST(ring, leave_moves_only_what_the_leaver_had) {
  Random random(6);
  for (const std::uint32_t q : {3, 24, 100, 256}) {
    Lone lone(ring_of(q));
    Churn churn(random, "n", 2, 9);
    Owners before;
    for (int i = 0; i < 50; ++i) {
      const Event event = churn.step();
      const Owners after = owners_after(lone, churn.events());
      if (event.change == Change::leave) {
        judge(
            event.subject +
                " leaves: its vnodes move, each to a host that is then least loaded, and no other",
            leave_wrong(before, after, event.subject, churn.members()));
      }
      before = after;
      passed(2);  // the ring before the next event
    }
  }
}

TEST(ring, events_in_any_order_and_repeated_give_the_same_ring) {
  Random random(7);
  Lone lone(ring_of(128));
  Lone one_replica(ring_of(128, 1));
  Lone five_replicas(ring_of(128, 5));
  for (int round = 0; round < 6; ++round) {
    Churn churn(random, "n", 3, 8);
    for (int i = 0; i < 25; ++i) churn.step();
    const Owners right = owners_after(lone, churn.events());
    judge("each vnode belongs to a member", ownership_wrong(right, 128, churn.members()));
    for (Lone* other : {&one_replica, &five_replicas}) {
      if (owners_after(*other, churn.events()) == right) continue;
      const std::string n = other == &one_replica ? "N = 1" : "N = 5";
      violation("N says how long lists are; the same events and Q give the same owners for every N",
                rings_differ(right, other->invoke<&Ring::owners>(), "with N = 3", "with " + n));
    }
    History events = churn.events();
    events.insert(events.end(), churn.events().begin(), churn.events().begin() + 12);
    for (int i = 0; i < 4; ++i) {
      shuffle(random, events);
      const Owners found = owners_after(i % 2 == 0 ? lone : five_replicas, events);
      if (found == right) continue;
      violation("the same events give the same ring, in whatever order they come and how often",
                rings_differ(right, found, "in order", "shuffled, with 12 of them twice,"));
    }
  }
}

TEST(ring, event_that_changes_nothing_is_skipped) {
  Random random(8);
  Lone lone(ring_of(60));
  for (int round = 0; round < 8; ++round) {
    Churn churn(random, "n", 2, 6);
    History real;  // the same versions with and without idle events: a ring may follow from them
    History with_idle_events;
    std::string idle;
    for (int i = 0; i < 15; ++i) {
      Event event = churn.step();
      event.version.counter *= 2;  // leaves room for an idle event after it
      real.push_back(event);
      with_idle_events.push_back(event);
      if (random.below(2) == 0) {  // what is so already, as two operators at a time ask for it
        const auto& members = churn.members();
        event.subject = members[random.below(members.size())];
        event.change = Change::join;
        event.version.counter += 1;
        with_idle_events.push_back(event);
        idle += event.subject + " joins (" + std::to_string(event.version.counter) + "@n1), ";
      }
    }
    with_idle_events.push_back(leave("stranger", 3, "n0"));
    with_idle_events.push_back(leave("stranger", 1'000));
    const Owners right = owners_after(lone, real);
    const Owners found = owners_after(lone, with_idle_events);
    const std::string added = "the second rebuild has more events, which change nothing: " + idle +
                              "each of a host that is a member then, and leaves of a stranger; ";
    judge(added + "so the members are still " + text(churn.members()),
          ownership_wrong(found, 60, churn.members()));
    if (found == right) continue;
    violation(added + "so the ring is the same",
              rings_differ(right, found, "without them", "with them"));
  }
}

TEST(ring, versions_order_by_counter_then_node_then_incarnation) {
  struct Case {
    History events;
    std::vector<NodeId> members;
    std::string why;
  };
  const Event first = join("n1", 1);
  const std::vector<Case> cases = {
      {{first, leave("n2", 9), join("n2", 10)}, {"n1", "n2"}, "counter 10 is later than 9"},
      {{first, join("n2", 9), leave("n2", 10)}, {"n1"}, "counter 10 is later than 9"},
      {{first, join("n2", 5, "n4"), leave("n2", 5, "n3")},
       {"n1", "n2"},
       "of two events with counter 5, the one made at n4 is later than the one made at n3"},
      {{first, join("n2", 5, "n3"), leave("n2", 5, "n4")},
       {"n1"},
       "of two events with counter 5, the one made at n4 is later than the one made at n3"},
      {{first, join("n2", 5, "n3", 100), leave("n2", 5, "n3", 20)},
       {"n1", "n2"},
       "of two events with counter 5 made at n3, the join is later: incarnation 100, not 20"},
      {{first, join("n2", 5, "n3", 20), leave("n2", 5, "n3", 100)},
       {"n1"},
       "of two events with counter 5 made at n3, the leave is later: incarnation 100, not 20"}};
  Lone lone(ring_of(8));
  for (const Case& one : cases) {
    for (const History& events : {one.events, History(one.events.rbegin(), one.events.rend())}) {
      judge(one.why + ", so the members are " + text(one.members),
            ownership_wrong(owners_after(lone, events), 8, one.members));
      passed();
    }
  }
}

TEST(ring, preference_list_is_the_first_n_distinct_hosts_of_the_walk) {
  Random random(9);
  using Case = std::tuple<std::uint32_t, std::uint32_t, std::size_t>;  // Q, N, fewest members
  for (const auto& [q, n, least] :
       std::vector<Case>{{8, 3, 4},
                         {16, 3, 6},
                         {64, 1, 6},
                         {100, 3, 6},
                         {128, 5, 6},
                         {512, 3, 70},      // more hosts than a word has bits
                         {512, 70, 75}}) {  // and lists that are long
    Lone lone(ring_of(q, n));
    Churn churn(random, "n", least, 2 * least);
    for (int round = 0; round < (q < 16 ? 12 : 3); ++round) {  // small ones make short stories
      passed();
      for (int i = 0; i < 10 || churn.members().size() < least; ++i) churn.step();
      const Owners owners = owners_after(lone, churn.events());
      judge("each vnode belongs to a member", ownership_wrong(owners, q, churn.members()));
      std::vector<std::tuple<VnodeId>> vnodes;
      for (VnodeId v = 0; v < q; ++v) vnodes.emplace_back(v);
      const auto lists = lone.map<&Ring::preference_list>(vnodes);
      for (VnodeId v = 0; v < q; ++v) {
        const std::vector<NodeId> right = preference(walk(owners, v), n);
        if (lists[v] == right) continue;
        violation(config_text(q, n) + clockwise(owners, v) + "; so the list is " + text(right),
                  "preference_list() says " + text(lists[v]));
      }
    }
  }
}

TEST(ring, preference_list_with_fewer_hosts_than_replicas) {
  for (const auto& [q, hosts, n] :
       std::vector<std::tuple<std::uint32_t, std::size_t, std::uint32_t>>{
           {64, 1, 3}, {64, 2, 3}, {64, 3, 3}, {2, 5, 3}, {1, 4, 3}, {3, 9, 1}}) {
    Lone lone(ring_of(q, n));
    const Owners owners = owners_after(lone, joins(hosts));
    judge("each vnode belongs to a member", ownership_wrong(owners, q, names(hosts)));
    for (VnodeId v = 0; v < q; ++v) {
      const std::vector<NodeId> right = preference(walk(owners, v), n);
      const std::vector<NodeId> found = lone.invoke<&Ring::preference_list>(v);
      if (found == right) continue;
      violation(config_text(q, n) + std::to_string(hosts) + " members, of which " +
                    text(loads(owners)) + " own vnodes: the list of vnode " + std::to_string(v) +
                    " is " + text(right),
                "preference_list() says " + text(found));
    }
  }
}

TEST(ring, lookups_do_not_allocate_per_vnode) {
  History events;  // of hosts whose names are so long that each copy of one allocates
  for (std::uint64_t i = 1; i <= 6; ++i) {
    events.push_back(join("host-with-a-long-name-" + std::to_string(i), i));
  }
  std::vector<std::uint64_t> made;
  for (const std::uint32_t q : {64U, 4'096U}) {
    Lone lone(ring_of(q));
    lone.invoke<&Ring::rebuild>(events);
    lone.invoke<&Ring::vnode_of>(KeyHash{0});
    lone.invoke<&Ring::vnode_of>(KeyHash{0});
    std::uint64_t most = lone.allocations();
    for (VnodeId v = 0; v < 10; ++v) {
      lone.invoke<&Ring::preference_list>(v);
      most = std::max(most, lone.allocations());
    }
    made.push_back(most);
  }
  if (made[1] <= made[0] + 200) return;
  violation("a lookup allocates about as often at Q = 4096 as at Q = 64",
            std::to_string(made[0]) + " allocations at Q = 64, " + std::to_string(made[1]) +
                " at Q = 4096");
}
