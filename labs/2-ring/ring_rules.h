// What is true of every right ring, and nothing more: the oracle of lab 2's checks. It knows no
// placement: any solution whose rings obey these rules passes.
//
// A function whose name ends in _wrong returns "" or what is wrong, in a sentence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "ring.h"

namespace dynamo::ring_rules {

using Owners = std::vector<NodeId>;

inline bool has(const std::vector<NodeId>& hosts, const NodeId& host) {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

inline std::string text(const std::vector<NodeId>& hosts) {
  std::string out = "[";
  for (const NodeId& host : hosts) out += (out.size() > 1 ? ", " : "") + host;
  return out + "]";
}

inline std::string text(const std::vector<Placement>& active) {
  std::string out = "[";
  for (const Placement& place : active) {
    out += (out.size() > 1 ? ", " : "") + place.host;
    if (!place.stands_in_for.empty()) out += " for " + place.stands_in_for;
  }
  return out + "]";
}

/// How many vnodes each host owns; `hosts` that own none are there with 0.
inline std::map<NodeId, std::size_t> loads(const Owners& owners,
                                           const std::vector<NodeId>& hosts = {}) {
  std::map<NodeId, std::size_t> counts;
  for (const NodeId& host : hosts) counts[host] = 0;
  for (const NodeId& host : owners) ++counts[host];
  return counts;
}

inline std::string text(const std::map<NodeId, std::size_t>& counts) {
  std::string out;
  for (const auto& [host, count] : counts) {
    out += (out.empty() ? "" : ", ") + host + ": " + std::to_string(count);
  }
  return "{" + out + "}";
}

/// What the lookups need to mean anything: Q owners, all of them members, and no member without a
/// vnode while there are enough.
inline std::string ownership_wrong(const Owners& owners, std::uint32_t q,
                                   const std::vector<NodeId>& members) {
  if (owners.size() != (members.empty() ? 0 : q)) {
    return "owners() has " + std::to_string(owners.size()) + " entries";
  }
  for (VnodeId v = 0; v < owners.size(); ++v) {
    if (!has(members, owners[v])) {
      return "vnode " + std::to_string(v) + " belongs to '" + owners[v] + "', which is no member";
    }
  }
  const auto counts = loads(owners, members);
  const bool idle = std::any_of(counts.begin(), counts.end(),
                                [](const auto& entry) { return entry.second == 0; });
  return idle && members.size() <= q ? "a member owns no vnode; all loads are " + text(counts) : "";
}

/// Rule 2.2: loads differ by at most one.
inline std::string balance_wrong(const Owners& owners, std::uint32_t q,
                                 const std::vector<NodeId>& members) {
  if (std::string wrong = ownership_wrong(owners, q, members); !wrong.empty()) return wrong;
  if (members.empty()) return "";
  const auto counts = loads(owners, members);
  const std::size_t least = q / members.size();
  const std::size_t most = least + (q % members.size() != 0);
  for (const auto& [host, count] : counts) {
    if (count < least || count > most) {
      return host + " owns " + std::to_string(count) + " of " + std::to_string(q) +
             " vnodes; all loads are " + text(counts);
    }
  }
  return "";
}

/// Rule 2.3: between `before` and `after`, `joiner` came in as the newest of `members`.
inline std::string join_wrong(const Owners& before, const Owners& after, const NodeId& joiner,
                              std::size_t members) {
  if (before.empty()) return "";
  if (before.size() != after.size()) return std::to_string(after.size()) + " owners";
  std::size_t gained = 0;
  for (std::size_t v = 0; v < after.size(); ++v) {
    if (before[v] == after[v]) continue;
    if (after[v] != joiner) {
      return "vnode " + std::to_string(v) + " moved from " + before[v] + " to " + after[v];
    }
    ++gained;
  }
  if (gained == after.size() / members) return "";
  return joiner + " gained " + std::to_string(gained) + " vnodes; the loads went from " +
         text(loads(before)) + " to " + text(loads(after));
}

/// Rule 2.3: between `before` and `after`, `leaver` left; `members` stayed.
inline std::string leave_wrong(const Owners& before, const Owners& after, const NodeId& leaver,
                               const std::vector<NodeId>& members) {
  if (before.size() != after.size()) return std::to_string(after.size()) + " owners";
  for (std::size_t v = 0; v < after.size(); ++v) {
    if (before[v] == leaver && after[v] == leaver) {
      return "vnode " + std::to_string(v) + " still belongs to " + leaver;
    }
    if (before[v] != leaver && before[v] != after[v]) {
      return "vnode " + std::to_string(v) + " moved from " + before[v] + " to " + after[v];
    }
    if (!has(members, after[v])) {
      return "vnode " + std::to_string(v) + " went to '" + after[v] + "', which is no member";
    }
  }
  // Some order of handing over serves a least loaded host each time, if and only if nobody who
  // gained has two more than another in the end: it had one more when it took its last vnode.
  const auto had = loads(before, members);
  const auto has_now = loads(after, members);
  for (const auto& [host, count] : has_now) {
    for (const auto& [other, less] : has_now) {
      if (count <= had.at(host) || count <= less + 1) continue;
      return host + " took a vnode while " + other + " had fewer; the loads went from " +
             text(had) + " to " + text(has_now);
    }
  }
  return "";
}

/// The hosts with vnodes, each once, in the order in which one meets them clockwise from `v`; all
/// of them, or the first `enough`.
inline std::vector<NodeId> walk(const Owners& owners, VnodeId v, std::size_t enough = SIZE_MAX) {
  std::vector<NodeId> met;
  for (std::size_t step = 0; step < owners.size() && met.size() < enough; ++step) {
    const NodeId& host = owners[(v + step) % owners.size()];
    if (!has(met, host)) met.push_back(host);
  }
  return met;
}

/// For a story: the owners of the vnodes from `v` on, a dozen of them at most.
inline std::string clockwise(const Owners& owners, VnodeId v) {
  std::vector<NodeId> some;
  for (std::size_t step = 0; step < std::min<std::size_t>(12, owners.size()); ++step) {
    some.push_back(owners[(v + step) % owners.size()]);
  }
  return "clockwise from vnode " + std::to_string(v) + " the owners are " + text(some) +
         (owners.size() > some.size() ? " and so on" : "");
}

/// Rule 2.5, from the walk of a vnode.
inline std::vector<NodeId> preference(std::vector<NodeId> met, std::size_t n) {
  met.resize(std::min(n, met.size()));
  return met;
}

/// Rule 2.6, from the walk of a vnode.
inline std::vector<Placement> active(const std::vector<NodeId>& met, std::size_t n,
                                     const std::vector<NodeId>& dead) {
  const std::vector<NodeId> listed = preference(met, n);
  std::vector<NodeId> stand_ins;  // last in the walk first, to be taken from the back
  for (std::size_t i = met.size(); i > listed.size(); --i) {
    if (!has(dead, met[i - 1])) stand_ins.push_back(met[i - 1]);
  }
  std::vector<Placement> places;
  for (const NodeId& host : listed) {
    if (!has(dead, host)) {
      places.push_back({host, {}});
    } else if (!stand_ins.empty()) {
      places.push_back({stand_ins.back(), host});
      stand_ins.pop_back();
    }
  }
  return places;
}

/// Operators' work: joins and leaves at random, in version order, each of which changes something.
class Churn {
 public:
  /// Members stay between `least` and `most` once there are `least`; names are <prefix>1, <prefix>2
  /// …
  Churn(Random& random, const std::string& prefix, std::size_t least, std::size_t most)
      : random_(random), least_(least), most_(most) {
    for (std::size_t i = 1; i <= most + 4; ++i) out_.push_back(prefix + std::to_string(i));
  }

  /// One more event. It tells which; members() and events() have taken it in.
  const Event& step() {
    const bool join =
        members_.size() <= least_ || (members_.size() < most_ && random_.below(2) == 0);
    std::vector<NodeId>& from = join ? out_ : members_;
    std::vector<NodeId>& to = join ? members_ : out_;
    const auto at = from.begin() + static_cast<std::ptrdiff_t>(random_.below(from.size()));
    const NodeId subject = *at;
    from.erase(at);
    to.push_back(subject);
    events_.push_back(
        {subject, join ? Change::join : Change::leave, {events_.size() + 1, "n1", 7}});
    return events_.back();
  }

  const std::vector<NodeId>& members() const { return members_; }
  const History& events() const { return events_; }

 private:
  Random& random_;
  const std::size_t least_;
  const std::size_t most_;
  std::vector<NodeId> out_;
  std::vector<NodeId> members_;
  History events_;
};

inline void shuffle(Random& random, History& events) {
  for (std::size_t i = events.size(); i > 1; --i) {
    std::swap(events[i - 1], events[random.below(i)]);
  }
}

/// Rule 2.7, measured on one ring.
struct Spread {
  double load = 0;  ///< Replicas on the fullest host, over the mean of all.
  NodeId fullest;
  double heirs =
      1;  ///< Share of the other hosts that take over something of a dead one; the least.
  double inheritance =
      0;        ///< What one host takes over of a dead one, over the mean of the others; the most.
  NodeId dead;  ///< The host whose death `heirs` is about.
  std::string heir;  ///< Who inherits most, and of whom.
};

inline Spread spread_of(const Owners& owners, std::size_t n, std::size_t members) {
  std::map<NodeId, std::size_t> replicas;
  std::map<NodeId, std::map<NodeId, std::size_t>> inherited;  // dead host → heir → vnodes
  for (VnodeId v = 0; v < owners.size(); ++v) {
    const std::vector<NodeId> met = walk(owners, v, n + 1);
    for (std::size_t i = 0; i < std::min(n, met.size()); ++i) {
      ++replicas[met[i]];
      if (n < met.size()) ++inherited[met[i]][met[n]];
    }
  }
  Spread spread;
  const double mean = static_cast<double>(owners.size() * n) / static_cast<double>(members);
  for (const auto& [host, count] : replicas) {
    if (static_cast<double>(count) / mean <= spread.load) continue;
    spread.load = static_cast<double>(count) / mean;
    spread.fullest = host;
  }
  const double others = static_cast<double>(members - 1);
  for (const auto& [dead, heirs] : inherited) {
    if (static_cast<double>(heirs.size()) / others < spread.heirs) {
      spread.heirs = static_cast<double>(heirs.size()) / others;
      spread.dead = dead;
    }
    for (const auto& [heir, count] : heirs) {
      const double share =
          static_cast<double>(count) * others / static_cast<double>(replicas[dead]);
      if (share <= spread.inheritance) continue;
      spread.inheritance = share;
      spread.heir = heir + " for " + dead;
    }
  }
  return spread;
}

}  // namespace dynamo::ring_rules
