#include "faultnet/network.h"

#include <algorithm>

namespace dynamo::faultnet {

using sim::Step;

Network::Network(const Spec& spec, Recorder& recorder, Clock now)
    : nodes_(spec.nodes),
      links_(spec.seed, spec.nodes, spec.links),
      recorder_(recorder),
      now_(std::move(now)) {}

sim::Fate Network::sent(const Message& message) {
  const sim::Fate fate =
      links_.send(message.from, message.to, message.type, message.reply, message.frame_bytes);
  count(message, "sent");
  record(message, Step::Kind::send, fate.copies > 1 ? "it is doubled" : "", true);
  if (fate.lost != nullptr) {
    count(message, fate.lost);
    record(message, Step::Kind::drop, fate.lost, false);
  }
  return fate;
}

void Network::received(const Message& message) {
  count(message, "received");
  record(message, Step::Kind::receive, "", false);
}

void Network::lost(const Message& message, const std::string& why) {
  count(message, why);
  record(message, Step::Kind::drop, why, false);
}

void Network::count(const Message& message, const std::string& fate) {
  sim::Traffic& row = counts_[{message.from, message.to, message.type, message.reply, fate}];
  row.messages += 1;
  row.bytes += message.frame_bytes;
}

void Network::record(const Message& message, Step::Kind kind, std::string text, bool with_data) {
  if (!recorder_.on()) return;
  // A message is told by the end that it happens at: the receiver receives, the sender sends and
  // loses.
  const bool at_receiver = kind == Step::Kind::receive;
  Step step;
  step.at = now_();
  step.node = name(at_receiver ? message.to : message.from);
  step.kind = kind;
  step.peer = name(at_receiver ? message.from : message.to);
  step.message = name_of_message(message.type);
  step.reply = message.reply;
  step.id = message.call;
  if (with_data) {
    step.data =
        message_to_json(message.type, message.reply, message.bytes).value_or("\"malformed\"");
  }
  step.text = std::move(text);
  recorder_.add(step, message.frame_bytes);
}

std::vector<NodeIndex> Network::chosen(const std::vector<NodeId>& names, const char* field,
                                       bool all) const {
  std::vector<NodeIndex> indexes;
  for (const NodeId& name : names) {
    const auto found = std::find(nodes_.begin(), nodes_.end(), name);
    if (found == nodes_.end()) {
      std::string known;
      for (const NodeId& node : nodes_) known += (known.empty() ? "" : ", ") + node;
      throw SpecError(std::string(field) + ": no node is called \"" + name + "\"; there are " +
                      known);
    }
    indexes.push_back(static_cast<NodeIndex>(found - nodes_.begin()));
  }
  if (!indexes.empty()) return indexes;
  if (!all) throw SpecError(std::string(field) + ": name at least one node");
  for (NodeIndex index = 0; index < nodes_.size(); ++index) indexes.push_back(index);
  return indexes;
}

void Network::apply(const sim::Action& action) {
  const std::string& act = action.act;
  if (act != "cut" && act != "heal" && act != "link" && act != "drop") {
    throw SpecError(
        "act: \"" + act +
        "\" is not for the network; known are: cut, heal, link, drop, counts, flush, quit");
  }
  const bool all = act == "heal" || act == "link";
  const std::vector<NodeIndex> froms = chosen(action.nodes, "nodes", all);
  const std::vector<NodeIndex> tos = chosen(action.peers, "peers", all);
  if (act == "drop" && !action.message.empty() && !message_named(action.message)) {
    std::string known;
    for (const std::string& name : message_names()) known += (known.empty() ? "" : ", ") + name;
    throw SpecError("message: \"" + action.message + "\" is no message type; known are: " + known);
  }
  if (act == "drop" && action.count == 0) throw SpecError("count: at least 1");
  const bool whole = action.nodes.empty() && action.peers.empty();
  if (act == "link" && whole) links_.set_all(action.link);
  for (const NodeIndex from : froms) {
    for (const NodeIndex to : tos) {
      if (from == to) continue;
      Step step;
      step.at = now_();
      step.node = name(from);
      step.peer = name(to);
      if (act == "cut") {
        step.kind = Step::Kind::cut;
        links_.cut(from, to);
      } else if (act == "heal") {
        step.kind = Step::Kind::heal;
        links_.heal(from, to);
      } else if (act == "link") {
        step.kind = Step::Kind::link;
        step.text = json::to(action.link).dump();
        if (!whole) links_.set_model(from, to, action.link);
      } else {
        step.kind = Step::Kind::forget;
        step.text = "the next " + std::to_string(action.count);
        step.message = action.message;
        links_.drop_next(from, to, message_named(action.message), false, action.count);
      }
      recorder_.add(step);
    }
  }
}

Json Network::counts() const {
  Json rows = Json::array();
  for (const auto& [row, traffic] : counts_) {
    const auto& [from, to, type, reply, fate] = row;
    rows.push_back({{"from", name(from)},
                    {"to", name(to)},
                    {"type", name_of_message(type)},
                    {"kind", reply ? "reply" : "request"},
                    {"fate", fate},
                    {"messages", traffic.messages},
                    {"bytes", traffic.bytes}});
  }
  return rows;
}

}  // namespace dynamo::faultnet
