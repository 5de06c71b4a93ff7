// What a fault plan did to a store that came through: for the student whose plan was to find what
// is wrong with it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/story.h"
#include "whole_store.h"

namespace dynamo::sim {

/// Follows a plan as it runs, and looks at the disks every 50 ms. All times that it tells are the
/// plan's own, in milliseconds from its beginning.
class PlanAccount {
 public:
  explicit PlanAccount(World& world) : world_(world), begun_(world.now()) {}

  /// Lets time pass, with open eyes.
  void run_until(Instant then) {
    while (world_.now() < then) {
      world_.run_until(std::min(then, world_.now() + 50ms));
      look();
    }
  }

  /// `action` is done now.
  void act(const Action& action) {
    Entry entry{world_.now(), action, {}, ""};
    const bool client = action.act == "put" || action.act == "get" || action.act == "delete";
    if (client) {
      entry.asked = world_.client_operations().size();
      waiting_.push_back(*entry.asked);
    } else {
      entry.hints = hints_now();
    }
    if (action.act == "crash" || action.act == "restart") note_killed(action);
    world_.act(action);
    entries_.push_back(std::move(entry));
  }

  /// The plan step by step, with what came of it, and why the store that is to be found by the plan
  /// of this name came through.
  std::string told(const std::string& plan) const {
    UnitStory story;
    for (std::size_t i = 0; i < entries_.size();) story.steps.push_back(next_step(i));
    return tell(story, {"what is wrong with the store shows on this plan: it fails",
                        "it comes through, as the reference does: " + because(plan)});
  }

 private:
  struct Entry {
    Instant at;
    Action action;
    std::optional<ClientNumber> asked;  ///< Of a client's action.
    std::string hints;                  ///< Of any other: who kept hints then.
  };
  /// Where a write lay when the client heard that it was done.
  struct Written {
    std::vector<NodeId> owners;
    std::vector<NodeId> holders;       ///< Of the owners.
    std::vector<NodeId> keepers;       ///< Of hints.
    std::map<NodeId, Instant> missed;  ///< Of a delete: owners that still held a value; until when.
  };
  struct Hint {
    NodeId node;
    std::string key;
    Instant since;
    std::optional<Instant> until;
    std::vector<NodeId> lacking;  ///< Owners that did not have it when it was gone.
    std::vector<NodeId> others;   ///< Who held the key then.
  };
  struct Killed {
    NodeId node;
    Instant at;
    std::set<std::string> keys;  ///< That it kept hints for.
  };

  std::string ms(Instant at) const { return std::to_string((at - begun_).count() / 1000); }

  /// "n2 (cart, milk), n4 (12 keys)"
  std::string hints_now() const {
    std::string text;
    for (const NodeId& node : world_.nodes()) {
      const std::set<std::string> keys = keys_of(node, kHintSpace);
      if (!keys.empty()) text += (text.empty() ? "" : ", ") + node + " (" + some(keys) + ")";
    }
    return text;
  }

  static std::string some(const std::set<std::string>& keys) {
    constexpr std::size_t kNamed = 3;
    if (keys.size() > kNamed) return std::to_string(keys.size()) + " keys";
    std::string text;
    for (const std::string& key : keys) text += (text.empty() ? "" : ", ") + key;
    return text;
  }

  std::set<std::string> keys_of(const NodeId& node, std::string_view space) const {
    std::set<std::string> keys;
    for (const auto& [key, held] : all_held(world_, node, space)) keys.insert(key);
    return keys;
  }

  void note_killed(const Action& action) {
    for (const NodeId& node : action.nodes) {
      const std::set<std::string> keys = keys_of(node, kHintSpace);
      if (world_.life(node) != Life::down && !keys.empty()) {
        killed_.push_back({node, world_.now(), keys});
      }
    }
  }

  void look() {
    const auto answered = [&](ClientNumber number) {
      if (world_.client(number).pending()) return false;
      if (world_.client(number).write() && world_.client(number).done()) note_written(number);
      return true;
    };
    std::erase_if(waiting_, answered);
    look_at_hints();
    for (auto& [number, written] : written_) {
      for (auto& [node, until] : written.missed) {
        if (until == Instant::max() && values_on(node, world_.client(number).key).empty()) {
          until = world_.now();
        }
      }
    }
  }

  /// Values on its disk; a deletion has none.
  std::vector<std::string> values_on(const NodeId& node, const std::string& key) const {
    const auto held = held_for(world_, node, key);
    return held ? values_in(held->state).value_or(std::vector<std::string>{})
                : std::vector<std::string>{};
  }

  void note_written(ClientNumber number) {
    const ClientOperation& operation = world_.client(number);
    Written& written = written_[number];
    written.owners = preference_list(world_, operation.key);
    for (const NodeId& owner : written.owners) {
      const std::vector<std::string> values = values_on(owner, operation.key);
      const bool has = operation.value ? contains(values, *operation.value)
                                       : held_for(world_, owner, operation.key) && values.empty();
      if (has) written.holders.push_back(owner);
      if (!operation.value && !values.empty()) written.missed[owner] = Instant::max();
    }
    for (const NodeId& node : world_.nodes()) {
      if (keys_of(node, kHintSpace).count(operation.key) != 0) written.keepers.push_back(node);
    }
  }

  void look_at_hints() {
    std::map<std::pair<NodeId, std::string>, Held> now;
    for (const NodeId& node : world_.nodes()) {
      for (auto& [key, held] : all_held(world_, node, kHintSpace)) now[{node, key}] = held;
    }
    for (Hint& hint : hints_) {
      if (hint.until || now.count({hint.node, hint.key}) != 0) continue;
      hint.until = world_.now();
      const State state = kept_.at({hint.node, hint.key}).state;
      for (const NodeId& owner : preference_list(world_, hint.key)) {
        if (!has_all(owner, hint.key, state)) hint.lacking.push_back(owner);
      }
      for (const NodeId& node : world_.nodes()) {
        const bool holds = held_for(world_, node, hint.key).has_value();
        if (holds || now.count({node, hint.key}) != 0) hint.others.push_back(node);
      }
    }
    for (const auto& [place, held] : now) {
      if (kept_.count(place) == 0) {
        hints_.push_back({place.first, place.second, world_.now(), std::nullopt, {}, {}});
      }
    }
    kept_ = std::move(now);
  }

  bool has_all(const NodeId& node, const std::string& key, const State& state) const {
    const auto held = held_for(world_, node, key);
    if (!held) return false;
    const std::vector<std::string> there = values_on(node, key);
    const auto wanted = values_in(state).value_or(std::vector<std::string>{});
    return std::includes(there.begin(), there.end(), wanted.begin(), wanted.end());
  }

  // ---- in words

  /// One entry, or several in a row that differ in keys and values alone; moves `i` past them.
  std::string next_step(std::size_t& i) const {
    constexpr std::size_t kFewest = 4;
    std::size_t end = i + 1;
    const auto alike = [&](const Entry& one) {
      return one.asked && one.action.act == entries_[i].action.act &&
             one.action.nodes == entries_[i].action.nodes;
    };
    while (entries_[i].asked && end < entries_.size() && alike(entries_[end])) ++end;
    if (end - i < kFewest) return step_of(entries_[i++]);
    const std::string told = step_of_many(i, end);
    i = end;
    return told;
  }

  std::string step_of(const Entry& entry) const {
    const std::string at = ms(entry.at) + " ms: ";
    if (!entry.asked) {
      return at + fault_words(entry.action) + "\n     " +
             (entry.hints.empty() ? "nobody keeps a hint then"
                                  : "hints are kept then by " + entry.hints);
    }
    const ClientOperation& operation = world_.client(*entry.asked);
    const std::string told = at + question(operation) + ": " + to_string(operation);
    const auto written = written_.find(*entry.asked);
    return written == written_.end() ? told
                                     : told + "\n     " + where(written->second, !operation.value);
  }

  static std::string where(const Written& written, bool deletion) {
    std::string text = "owners " + list(written.owners) +
                       (deletion ? "; that it is deleted, is known to " : "; it lies on ");
    text += written.holders.empty() ? "none of them" : list(written.holders);
    std::vector<NodeId> missed;
    for (const auto& [node, until] : written.missed) missed.push_back(node);
    if (!missed.empty()) text += ", and missed by " + names(missed);
    return text + (written.keepers.empty() ? "; nobody keeps a hint for it"
                                           : "; hints for it on " + list(written.keepers));
  }

  std::string step_of_many(std::size_t i, std::size_t end) const {
    std::size_t done = 0;
    std::size_t everywhere = 0;
    std::size_t nowhere = 0;
    for (std::size_t k = i; k < end; ++k) {
      const auto written = written_.find(*entries_[k].asked);
      if (written == written_.end()) continue;
      ++done;
      everywhere += written->second.holders.size() == written->second.owners.size() ? 1 : 0;
      nowhere += written->second.holders.empty() ? 1 : 0;
    }
    const Action& first = entries_[i].action;
    std::string text = ms(entries_[i].at) + " to " + ms(entries_[end - 1].at) +
                       " ms: " + std::to_string(end - i) + " of " + first.act + " at " +
                       first.nodes.front() + ", " + first.key + " to " +
                       entries_[end - 1].action.key;
    if (first.act == "get") return text;
    return text + ": " + std::to_string(done) + " done\n     " + std::to_string(everywhere) +
           " lay on all owners then, " + std::to_string(nowhere) + " on none of them, but as hints";
  }

  static std::string names(const std::vector<NodeId>& nodes) {
    return nodes.size() == 1 ? nodes.front() : list(nodes);
  }

  static std::string fault_words(const Action& action) {
    const std::string who = names(action.nodes);
    const std::string whom = action.peers.empty() ? "all" : names(action.peers);
    const std::string from = action.nodes.empty() ? "all" : who;
    if (action.act == "crash") {
      return "kill -9 of " + who +
             (action.commit.empty() ? "" : ", " + action.commit + " the next commit");
    }
    if (action.act == "restart") return "restart of " + who;
    if (action.act == "pause") return "pause of " + who;
    if (action.act == "resume") return "end of the pause of " + who;
    if (action.act == "cut") return "the network is cut from " + from + " to " + whom;
    if (action.act == "heal") return "the network heals, from " + from + " to " + whom;
    if (action.act == "link") return "links change, from " + from + " to " + whom;
    if (action.act == "drop") {
      return "the next " + std::to_string(action.count) + " of " +
             (action.message.empty() ? "any message" : action.message) + " from " + from + " to " +
             whom + " will be lost";
    }
    if (action.act == "skew") return "the clock of " + who + " off by " + action.skew + " ms";
    if (action.act == "disk_full") return "the disk of " + who + " full";
    if (action.act == "disk_freed") return "the disk of " + who + " has room again";
    return action.act + " " + whom + ", asked at " + who;  // add, remove
  }

  std::string because(const std::string& plan) const {
    if (written_.empty()) {
      return "no put or delete was acknowledged, and of what was not, nothing can be lost";
    }
    if (plan == "deletes") return because_of_deletes();
    if (hints_.empty()) {
      return owners_words() +
             ". So no node ever kept a hint, and could not lose one: one is kept when an owner "
             "does "
             "not answer and another node takes its place";
    }
    return plan == "hints" ? because_of_hints() : because_of_restarts();
  }

  std::string because_of_hints() const {
    const auto early = std::find_if(hints_.begin(), hints_.end(),
                                    [](const Hint& hint) { return !hint.lacking.empty(); });
    if (early == hints_.end()) {
      return kept_words() +
             ", and given up only when the owners held the key: whenever one was sent, "
             "it arrived";
    }
    return early->node + " gave up its hint for " + early->key + " at " + ms(*early->until) +
           " ms, when " + list(early->lacking) +
           " did not have it: that is what is wrong with it. But " +
           (early->others.empty()
                ? "it was written again later"
                : list(early->others) + " had the key, too, and brought it there") +
           ". Only the last copy of a key can be lost";
  }

  std::string because_of_restarts() const {
    if (killed_.empty()) return kept_words() + ", and nobody was killed while he kept one";
    const Killed& killed = killed_.front();
    return killed.node + " was killed at " + ms(killed.at) + " ms, and kept hints then, for " +
           some(killed.keys) + ". But they were brought to their owners all the same";
  }

  /// Of plans in which nobody kept a hint, or all owners heard of each delete.
  std::string owners_words() const {
    const auto partly = std::find_if(written_.begin(), written_.end(), [](const auto& one) {
      return one.second.holders.size() != one.second.owners.size();
    });
    const auto& [number, written] = partly == written_.end() ? *written_.rbegin() : *partly;
    const std::string& key = world_.client(number).key;
    if (partly == written_.end()) {
      return "each write reached the owners of its key at once (those of " + key + " are " +
             list(written.owners) + "), whatever was wrong with other nodes";
    }
    return "when " + question(world_.client(number)) + " was done, " + names(written.holders) +
           " of its owners " + list(written.owners) +
           " had it, which was enough: nobody was asked " + "to stand in for the others";
  }

  /// "hints were kept (first by n2, for cart, from 510 to 4030 ms)"
  std::string kept_words() const {
    const Hint& first = hints_.front();
    return "hints were kept, the first by " + first.node + ", for " + first.key + ", from " +
           ms(first.since) + (first.until ? " to " + ms(*first.until) + " ms" : " ms on");
  }

  std::string because_of_deletes() const {
    bool deleted = false;
    for (const auto& [number, written] : written_) {
      const ClientOperation& operation = world_.client(number);
      if (operation.value) continue;
      deleted = true;
      if (written.missed.empty()) continue;
      const auto& [node, until] = *written.missed.begin();
      return node + " missed the delete of " + operation.key + " at " + ms(operation.asked) +
             " ms, and held the value " +
             (until == Instant::max() ? "to the plan's end" : "until " + ms(until) + " ms") +
             ". Then it heard of the delete from whoever kept the tombstone, before anybody who "
             "had "
             "forgotten the key took the value from it";
    }
    if (!deleted) return "no delete was acknowledged, so nothing can come back";
    return owners_words() + ". So nobody kept a value that could come back";
  }

  World& world_;
  const Instant begun_;
  std::vector<Entry> entries_;
  std::vector<ClientNumber> waiting_;
  std::map<ClientNumber, Written> written_;  ///< Writes that were done.
  std::vector<Hint> hints_;
  std::map<std::pair<NodeId, std::string>, Held> kept_;  ///< At the last look.
  std::vector<Killed> killed_;
};

}  // namespace dynamo::sim
