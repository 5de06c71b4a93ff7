// Cut and healed links in words: who is cut off from whom.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

using Names = std::set<NodeId>;

std::string names_text(const Names& names) {
  std::string text;
  for (const NodeId& name : names) text += (text.empty() ? "" : ", ") + name;
  return names.size() == 1 ? text : "[" + text + "]";
}

/// " around [n1, n4]: from each other and from [n2, n3, n5]", where that is all; else empty.
std::string around_words(const std::map<NodeId, Names>& out) {
  Names all;
  for (const auto& [from, to] : out) {
    all.insert(from);
    all.insert(to.begin(), to.end());
  }
  const auto goes = [&](const NodeId& from, const NodeId& to) {
    return from == to || (out.contains(from) && out.at(from).contains(to));
  };
  Names alone;
  for (const NodeId& name : all) {
    const auto cut_off = [&](const NodeId& other) {
      return goes(name, other) && goes(other, name);
    };
    if (std::all_of(all.begin(), all.end(), cut_off)) alone.insert(name);
  }
  Names others;
  std::set_difference(all.begin(), all.end(), alone.begin(), alone.end(),
                      std::inserter(others, others.end()));
  const auto explained = [&](const auto& link) {
    return alone.contains(link.first) ||
           std::includes(alone.begin(), alone.end(), link.second.begin(), link.second.end());
  };
  if (alone.empty() || !std::all_of(out.begin(), out.end(), explained)) return "";
  if (others.empty()) return " between all of " + names_text(alone);
  return " around " + names_text(alone) + ": from each other and from " + names_text(others);
}

}  // namespace

std::string links_words(const std::vector<std::pair<NodeId, NodeId>>& links) {
  std::map<NodeId, Names> out;
  for (const auto& [from, to] : links) out[from].insert(to);
  const auto goes = [&](const Names& from, const Names& to) {
    return std::all_of(from.begin(), from.end(),
                       [&](const NodeId& name) { return out.contains(name) && out[name] == to; });
  };
  // The first link's two sides: all who go where it goes, and all whom it goes to.
  const Names& there = out[links.front().first];
  Names here;
  for (const auto& [from, to] : out) {
    if (to == there) here.insert(from);
  }
  const std::string ends = names_text(here) + " and " + names_text(there);
  if (out.size() == here.size()) return " from " + names_text(here) + " to " + names_text(there);
  if (out.size() == here.size() + there.size() && goes(there, here)) return " between " + ends;
  if (std::string around = around_words(out); !around.empty()) return around;
  std::string text;
  for (const auto& [from, to] : links) text += (text.empty() ? ": " : ", ") + from + " → " + to;
  return text;
}

}  // namespace dynamo::sim
