// How lab 4's checks make clocks, and how they speak of them: ([Sx,2],[Sy,1]), as on the slide.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "versioning.h"

namespace dynamo::sim {

inline Actor actor(const NodeId& node, std::uint64_t epoch = 1, Incarnation incarnation = 1) {
  return {node, incarnation, epoch};
}

/// clock({{"Sx", 2}, {"Sy", 1}}) is ([Sx,2],[Sy,1]).
inline VectorClock clock(const std::vector<std::pair<NodeId, std::uint64_t>>& entries) {
  VectorClock made;
  for (const auto& [node, counter] : entries) made.entries.push_back({actor(node), counter});
  return made;
}

/// Disk and epoch stand there only where they are not the first: "Sx", "Sx (disk 2)".
inline std::string text(const Actor& actor) {
  std::string more;
  if (actor.incarnation != 1) more += "disk " + std::to_string(actor.incarnation);
  if (actor.epoch != 1) {
    more += (more.empty() ? "epoch " : ", epoch ") + std::to_string(actor.epoch);
  }
  return actor.node + (more.empty() ? "" : " (" + more + ")");
}

inline std::string text(const Dot& dot) {
  return "[" + text(dot.actor) + "," + std::to_string(dot.counter) + "]";
}

/// Of a long list the first ones and the last one.
inline constexpr std::size_t kMostListed = 12;

template <class Range, class Words>
std::string listed(const Range& range, const std::string& comma, const Words& words) {
  std::string told;
  std::size_t at = 0;
  const std::size_t size = std::size(range);
  for (const auto& one : range) {
    const bool in_the_middle = at >= kMostListed - 2 && at + 1 < size;
    if (size <= kMostListed || !in_the_middle) {
      told += (told.empty() ? "" : comma) + words(one);
    } else if (at == kMostListed - 2) {
      told += comma + "… " + std::to_string(size - kMostListed + 1) + " more";
    }
    ++at;
  }
  return told;
}

inline std::string text(const VectorClock& clock) {
  return "(" + listed(clock.entries, ",", [](const Dot& dot) { return text(dot); }) + ")";
}

inline std::string text(const KeyState& state) {
  const auto words = [](const ObjectVersion& version) {
    return version.value.value_or("a tombstone") + " " + text(version.dot) + " after " +
           text(version.seen);
  };
  return "{" + listed(state.versions, "; ", words) + (state.versions.empty() ? "" : "; ") +
         "clock " + text(state.clock) + "}";
}

template <class Strings>
std::string list_of(const Strings& strings) {
  return "[" + listed(strings, ", ", [](const std::string& one) { return one; }) + "]";
}

/// What is wrong with a clock itself, or "".
inline std::string malformed(const VectorClock& clock) {
  std::set<Actor> actors;
  for (const Dot& entry : clock.entries) {
    if (entry.counter == 0) return "a clock has an entry with counter 0";
    if (!actors.insert(entry.actor).second) {
      return "a clock has two entries of " + text(entry.actor);
    }
  }
  return "";
}

inline std::uint64_t counter_of(const VectorClock& clock, const Actor& actor) {
  const auto found = std::find_if(clock.entries.begin(), clock.entries.end(),
                                  [&](const Dot& entry) { return entry.actor == actor; });
  return found == clock.entries.end() ? 0 : found->counter;
}

/// What a state in sibling mode must never be, whatever was written; or "".
inline std::string malformed(const KeyState& state) {
  if (std::string wrong = malformed(state.clock); !wrong.empty()) return wrong;
  std::set<Dot> dots;
  for (const ObjectVersion& version : state.versions) {
    if (std::string wrong = malformed(version.seen); !wrong.empty()) return wrong;
    if (!dots.insert(version.dot).second) return "two versions have the dot " + text(version.dot);
    std::vector<Dot> covered = version.seen.entries;
    covered.push_back(version.dot);
    for (const Dot& dot : covered) {
      if (dot.counter == 0) return "a version has a dot with counter 0";
      if (counter_of(state.clock, dot.actor) < dot.counter) {
        return "the state's clock does not cover " + text(dot);
      }
    }
  }
  return "";
}

}  // namespace dynamo::sim
