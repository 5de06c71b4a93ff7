// The other side of n1's exchanges, played by the check: co-owners that hold what it wants, answer
// as the messages say, and note all that n1 asks of them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sync_node.h"

namespace dynamo::sim {

/// One co-owner. It merges as lab 3 does: the newer write wins.
class InventedPeer {
 public:
  InventedPeer(std::uint32_t q, std::size_t batch_bytes) : trees_(q), batch_bytes_(batch_bytes) {}

  void hold(const std::string& key, const State& state) {
    held_[key] = state;
    trees_.put(key, hash_of(key, state));
  }
  void forget(const std::string& key) {
    held_.erase(key);
    trees_.erase(key);
  }
  const std::map<std::string, State>& held() const { return held_; }
  const MerkleTrees& trees() const { return trees_; }

  CompareRootsReply answer(const Known& known, const CompareRoots& request) const {
    CompareRootsReply reply{known, {}};
    for (const VnodeRoot& theirs : request.roots) {
      if (theirs.root != trees_.root(theirs.vnode)) reply.differing.push_back(theirs.vnode);
    }
    return reply;
  }

  AskNodesReply answer(const Known& known, const AskNodes& request) const {
    AskNodesReply reply{known, {}};
    for (const TreePath& path : request.paths) {
      reply.nodes.push_back(trees_.node(request.vnode, path));
    }
    return reply;
  }

  AskCopiesReply answer(const Known& known, const AskCopies& request) const {
    AskCopiesReply reply{known, 0, {}};
    std::size_t filled = 0;
    for (const std::string& key : request.keys) {
      const auto found = held_.find(key);
      const std::size_t bytes = found == held_.end() ? 0 : found->second.bytes.size();
      if (reply.answered > 0 && filled + bytes > batch_bytes_) break;
      filled += bytes;
      ++reply.answered;
      if (found != held_.end()) reply.copies.push_back(copy_of(key, found->second));
    }
    return reply;
  }

  UpdateReply answer(const Known& known, const Update& request) {
    for (const Copy& copy : request.copies) {
      if (copy.state) hold(copy.key, merged(copy.key, *copy.state));
    }
    return confirmed(known, request);
  }

 private:
  State merged(const std::string& key, const State& state) const {
    const auto found = held_.find(key);
    const auto theirs = key_state_of(state);
    if (!theirs) violation("an Update carries states", "it carries bytes that are none");
    if (found == held_.end()) return state;
    const auto versioning = make_last_write_wins();
    return state_of(versioning->merge(key_state_of(found->second).value(), *theirs));
  }

  MerkleTrees trees_;
  std::map<std::string, State> held_;
  const std::size_t batch_bytes_;
};

/// All of n1's co-owners.
class Peers {
 public:
  /// What n1 has said to one of them, and how many bytes that took, the answer's included.
  struct Said {
    Duration at;
    NodeId to;
    MessageType type;
    std::string request;
    std::size_t bytes;
  };

  Peers(SyncNode& node, std::size_t members) : node_(node) {
    for (std::size_t i = 2; i <= members; ++i)
      peers_.emplace(node_name(i), InventedPeer(node.q, node.batch_bytes));
  }

  InventedPeer& at(const NodeId& name) { return peers_.at(name); }
  InventedPeer& n2() { return at("n2"); }

  /// Lets time pass, and answers all that n1 asks at once. In the end every call is answered. Time
  /// goes in steps of `step`, in small ones while an exchange goes on: n1 may wait for its rate.
  void run(Duration time, Duration step = std::chrono::milliseconds(250)) {
    constexpr Duration kSmall = std::chrono::milliseconds(5);
    std::size_t calls = 0;
    Duration next = step;
    for (const Duration end = now_ + time; now_ < end;) {
      next = std::min(next, end - now_);
      now_ += next;
      node_.lone.advance(next);
      next = node_.lone.calls().empty() ? step : kSmall;
      while (!node_.lone.calls().empty()) {
        if (++calls > kMostCalls) {
          violation(
              "an exchange ends: when nothing is left to compare, n1 asks no more until its "
              "next period",
              "it has made " + std::to_string(calls) + " calls in " +
                  std::to_string(time / kPeriod) + " s, and goes on");
        }
        answer(Lone::Call(node_.lone.calls().front()));
      }
    }
  }

  /// Ends calls in other ways: it says of each whether it has.
  std::function<bool(const Lone::Call&)> instead;

  const std::vector<Said>& said() const { return said_; }
  void forget_said() { said_.clear(); }

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Said& one : said_) sum += one.bytes;
    return sum;
  }

  template <class Request>
  std::vector<Request> all(const NodeId& to = {}) const {
    std::vector<Request> found;
    for (const Said& one : said_) {
      if (one.type != message_number<Request> || (!to.empty() && one.to != to)) continue;
      found.push_back(codec::decode<Request>(one.request).value());
    }
    return found;
  }

  /// The keys that n1 asked for or sent states of, sorted, once each.
  std::vector<std::string> moved() const {
    std::set<std::string> keys;
    for (const AskCopies& ask : all<AskCopies>()) keys.insert(ask.keys.begin(), ask.keys.end());
    for (const Update& update : all<Update>()) {
      for (const Copy& copy : update.copies) keys.insert(copy.key);
    }
    return {keys.begin(), keys.end()};
  }

  /// Ends a call with this reply.
  template <class Request>
  void reply(const Lone::Call& call, const typename Request::Reply& reply) {
    const std::string bytes = codec::encode(reply);
    said_.push_back({now_, call.to, call.type, call.bytes, call.bytes.size() + bytes.size()});
    node_.lone.end_call(call.id, bytes);
  }
  /// Nobody answers it.
  void silence(const Lone::Call& call) {
    said_.push_back({now_, call.to, call.type, call.bytes, call.bytes.size()});
    node_.lone.end_call(call.id, Error{ErrorCode::timed_out, "no answer"});
  }

  /// Answers as a right peer does.
  void answer(const Lone::Call& call) {
    if (instead && instead(call)) return;
    const bool known = answer_as<CompareRoots>(call) || answer_as<AskNodes>(call) ||
                       answer_as<AskCopies>(call) || answer_as<Update>(call);
    if (!known) silence(call);
  }

 private:
  static constexpr std::size_t kMostCalls = 3000;

  template <class Request>
  bool answer_as(const Lone::Call& call) {
    if (call.type != message_number<Request>) return false;
    const auto peer = peers_.find(call.to);
    const auto request = codec::decode<Request>(call.bytes);
    if (peer == peers_.end()) {
      violation("n1 speaks with members only", "it sends a message to \"" + call.to + "\"");
    }
    reply<Request>(call, peer->second.answer(node_.known(), request.value()));
    return true;
  }

  SyncNode& node_;
  std::map<NodeId, InventedPeer> peers_;
  std::vector<Said> said_;
  Duration now_{0};
};

/// A check of n1 and one co-owner, n2: every period is an exchange with it.
struct Pair {
  explicit Pair(const NodeSetup& setup = sync_setup(kPeriod)) : node(2, setup), peers(node, 2) {}

  /// Both hold these.
  void both_hold(const std::vector<std::string>& keys, const std::string& text = "milk",
                 std::uint64_t number = 1) {
    node.hold_all(keys, text, number);
    for (const std::string& key : keys) peers.n2().hold(key, version(text, number));
  }

  /// Property 6.4: n1 and n2 hold the same, and that is `right`.
  void expect_merged(const std::map<std::string, State>& right, const std::string& when) {
    for (const auto& [key, state] : right) {
      const auto held = node.held(key);
      if (!held || !(held->state == state)) {
        violation("n1 holds " + described(state) + " for " + key + ", " + when,
                  "it holds " + (held ? described(held->state) : std::string("nothing")));
      }
      const auto theirs = peers.n2().held().find(key);
      if (theirs == peers.n2().held().end() || !(theirs->second == state)) {
        violation("n2 was sent " + described(state) + " for " + key + ", " + when,
                  theirs == peers.n2().held().end()
                      ? "it was sent nothing for it"
                      : "it holds " + described(theirs->second) + " still");
      }
    }
  }

  static std::string described(const State& state) {
    const auto values = values_in(state);
    if (!values) return "bytes that are no state";
    if (values->empty()) return "a deletion";
    constexpr std::size_t kShort = 30;
    const std::string text = list(*values);
    return text.size() <= kShort ? text : text.substr(0, kShort) + "…]";
  }

  SyncNode node;
  Peers peers;
};

}  // namespace dynamo::sim
