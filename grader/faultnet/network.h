// The state of the network between the nodes: what becomes of each message, and what has become.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/json.h"
#include "faultnet/recorder.h"
#include "faultnet/spec.h"
#include "sim/links.h"

namespace dynamo::faultnet {

using sim::NodeIndex;

/// One message between two nodes, as its frame had it.
struct Message {
  NodeIndex from = 0;
  NodeIndex to = 0;
  MessageType type = 0;
  bool reply = false;
  std::uint64_t call = 0;       ///< The call that it belongs to; requests and replies share it.
  std::string_view bytes;       ///< The encoded struct.
  std::size_t frame_bytes = 0;  ///< All that travels for it.
};

/// Decides with the simulator's own Links, so a seed and a plan draw the same fates in both worlds.
class Network {
 public:
  using Clock = std::function<Instant()>;

  Network(const Spec& spec, Recorder& recorder, Clock now);

  /// The message has left its sender: its fate, recorded and counted.
  sim::Fate sent(const Message& message);
  /// A copy of it has been handed to its receiver.
  void received(const Message& message);
  /// It vanished for a reason that no plan gave.
  void lost(const Message& message, const std::string& why);

  bool is_cut(NodeIndex from, NodeIndex to) const { return links_.is_cut(from, to); }
  /// One of the two directions is cut: then the ends must not learn of each other's connections.
  bool is_parted(NodeIndex a, NodeIndex b) const { return is_cut(a, b) || is_cut(b, a); }

  /// Carries out cut, heal, link or drop. Throws SpecError, and then has changed nothing.
  void apply(const sim::Action& action);

  /// What has happened since the last call, oldest first, as the trace has it: {"steps": […],
  /// "missed": how many more there were}. Data only of messages of the type `with_data`. The first
  /// call begins it, so it finds nothing.
  Json news(const std::string& with_data);

  /// A row for each (from, to, type, kind, fate): {"messages", "bytes"} of whole frames.
  Json counts() const;

  const std::vector<NodeId>& nodes() const { return nodes_; }
  const NodeId& name(NodeIndex node) const { return nodes_[node]; }

 private:
  /// from, to, type, reply, fate
  using Row = std::tuple<NodeIndex, NodeIndex, MessageType, bool, std::string>;

  /// The named nodes; all for none.
  std::vector<NodeIndex> chosen(const std::vector<NodeId>& names) const;
  void apply(const sim::Action& action, NodeIndex from, NodeIndex to);
  void count(const Message& message, const std::string& fate);
  void record(const Message& message, sim::Step::Kind kind, std::string text, bool with_data);

  const std::vector<NodeId> nodes_;
  sim::Links links_;
  Recorder& recorder_;
  const Clock now_;
  static constexpr std::size_t kMostNews = 20'000;
  bool watched_ = false;  ///< Somebody asks for news.
  std::string told_in_full_;
  std::deque<Json> news_;
  std::uint64_t missed_ = 0;
  std::map<Row, sim::Traffic> counts_;
};

}  // namespace dynamo::faultnet
