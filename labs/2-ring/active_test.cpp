// Lab 2's checks of part C on one node: who stands in for the dead, and how evenly hosts are
// spread.
#include "ring_asking.h"

using namespace dynamo;
using namespace dynamo::ring_rules;
using namespace dynamo::sim;

namespace {

/// A ring of `hosts` members after some churn, ready to be asked.
struct Subject {
  Subject(std::uint32_t q_, std::uint32_t n_, std::size_t hosts, std::uint64_t seed)
      : q(q_), n(n_), lone(ring_of(q_, n_)), random(seed), churn(random, "n", hosts, hosts + 1) {
    while (churn.events().size() < 20 || churn.members().size() != hosts) churn.step();
    owners = owners_after(lone, churn.events());
    judge("each vnode belongs to a member", ownership_wrong(owners, q, churn.members()));
  }

  /// Asks for the active list of every vnode while `dead` are dead.
  void judge_active(const std::vector<NodeId>& dead) {
    std::vector<std::tuple<VnodeId, std::vector<NodeId>>> asked;
    for (VnodeId v = 0; v < q; ++v) asked.emplace_back(v, dead);
    const auto found = lone.map<&Ring::active_list>(asked);
    for (VnodeId v = 0; v < q; ++v) {
      const std::vector<NodeId> met = walk(owners, v);
      const std::vector<Placement> right = active(met, n, dead);
      if (found[v] == right) continue;
      violation(config_text(q, n) + "from vnode " + std::to_string(v) + " on one meets " +
                    text(met) +
                    (dead.empty() ? ", all of them healthy" : ", dead are " + text(dead)) +
                    "; so the active list is " + text(right),
                "active_list() says " + text(found[v]));
    }
  }

  /// `count` members, drawn at random.
  std::vector<NodeId> some(std::size_t count) {
    std::vector<NodeId> left = churn.members();
    std::vector<NodeId> drawn;
    while (drawn.size() < count) {
      const auto at = left.begin() + static_cast<std::ptrdiff_t>(random.below(left.size()));
      drawn.push_back(*at);
      left.erase(at);
    }
    return drawn;
  }

  const std::uint32_t q;
  const std::uint32_t n;
  Lone lone;
  Random random;
  Churn churn;
  Owners owners;
};

}  // namespace

TEST(ring, active_list_of_a_healthy_cluster_is_the_preference_list) {
  for (const std::uint32_t n : {1, 3, 9}) {
    Subject subject(64, n, 6, 20 + n);
    subject.judge_active({});
    subject.judge_active({"stranger"});
  }
}

TEST(ring, stand_in_is_the_next_healthy_host_not_already_listed) {
  for (const std::uint32_t n : {1, 3, 4}) {
    Subject subject(100, n, 7, 30 + n);
    for (const NodeId& dead : subject.churn.members()) subject.judge_active({dead});
  }
}

TEST(ring, several_dead_hosts_get_stand_ins_of_their_own_in_walk_order) {
  for (const std::uint32_t n : {2, 3, 5}) {
    Subject subject(96, n, 9, 40 + n);
    for (const std::size_t count : {2, 2, 3, 4, 4}) subject.judge_active(subject.some(count));
    std::vector<NodeId> dead = subject.some(3);  // more names than there are hosts, most in vain
    for (int i = 0; i < 7; ++i) dead.insert(dead.end(), {dead[i], "stranger", names(30)[20 + i]});
    subject.judge_active(dead);
  }
}

TEST(ring, place_of_a_dead_host_is_dropped_when_no_stand_in_is_left) {
  for (const auto& [q, n, hosts] :
       std::vector<std::tuple<std::uint32_t, std::uint32_t, std::size_t>>{
           {60, 3, 4}, {60, 3, 3}, {60, 5, 2}, {60, 3, 1}, {3, 2, 6}}) {
    Subject subject(q, n, hosts, 50 + hosts);
    for (std::size_t dead = 1; dead <= hosts; ++dead) subject.judge_active(subject.some(dead));
  }
}

TEST(ring, asking_for_active_lists_leaves_the_ring_unchanged) {
  Subject subject(64, 3, 6, 60);
  for (int round = 0; round < 3; ++round) {
    subject.judge_active(subject.some(3));
    if (subject.lone.invoke<&Ring::owners>() != subject.owners) {
      violation("a dead host keeps its vnodes: liveness never changes the ring",
                "after active_list() with dead hosts owners() answers something else");
    }
    for (VnodeId v = 0; v < 64; v += 7) {
      const std::vector<NodeId> right = preference(walk(subject.owners, v), 3);
      const std::vector<NodeId> found = subject.lone.invoke<&Ring::preference_list>(v);
      if (found == right) continue;
      violation("liveness never changes the preference list of vnode " + std::to_string(v) + ": " +
                    text(right),
                "after active_list() with dead hosts it is " + text(found));
    }
    subject.judge_active({});  // all of them are back
  }
}

namespace {

/// Rule 2.7's ground: a big ring after operators' work, with 5 to 16 members.
void for_each_spread_ring(const std::function<void(const Spread&, std::size_t members)>& look) {
  constexpr std::uint32_t kQ = 1024;
  Lone lone(ring_of(kQ));
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Random random(seed);
    Churn churn(random, seed % 2 == 0 ? "n" : "host-", 5 + seed * 7 % 11, 16);
    for (int look_at = 0; look_at < 5; ++look_at) {
      for (std::uint64_t i = 0; i < 5 + seed; ++i) churn.step();
      if (churn.members().size() < 5) continue;
      const Owners owners = owners_after(lone, churn.events());
      judge("each vnode belongs to a member", ownership_wrong(owners, kQ, churn.members()));
      look(spread_of(owners, 3, churn.members().size()), churn.members().size());
    }
  }
}

std::string times(double factor) {
  const int hundredths = static_cast<int>(factor * 100);
  return std::to_string(hundredths / 100) + "." + std::to_string(hundredths / 10 % 10) +
         std::to_string(hundredths % 10);
}

}  // namespace

TEST(ring, replicas_are_spread_evenly_over_the_hosts) {
  for_each_spread_ring([](const Spread& spread, std::size_t members) {
    if (spread.load <= 1.3) return;
    violation("Q = 1024, N = 3, " + std::to_string(members) +
                  " hosts: no host is on more than 1.3 times as many preference lists as the mean",
              spread.fullest + " is on " + times(spread.load) + " times as many");
  });
}

TEST(ring, load_of_a_dead_host_falls_on_many_others) {
  for_each_spread_ring([](const Spread& spread, std::size_t members) {
    const std::string where = "Q = 1024, N = 3, " + std::to_string(members) + " hosts: ";
    if (spread.heirs < 0.75) {
      violation(where + "when a host dies, at least 3/4 of the others stand in for it somewhere",
                "for " + spread.dead + " only " + times(spread.heirs * 100) + " % of them do");
    }
    if (spread.inheritance > 3) {
      violation(where + "no stand-in takes over more than 3 times the mean of the others",
                spread.heir + " takes over " + times(spread.inheritance) + " times the mean");
    }
  });
}
