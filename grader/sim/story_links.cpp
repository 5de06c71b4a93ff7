// Cut and healed links in words: who is cut off from whom.
#include <algorithm>
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
  std::string text;
  for (const auto& [from, to] : links) text += (text.empty() ? ": " : ", ") + from + " → " + to;
  return text;
}

}  // namespace dynamo::sim
