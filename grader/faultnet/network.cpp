#include "faultnet/network.h"

#include <algorithm>
#include <optional>

#include "core/json.h"
#include "sim/plan_json.h"

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
  if (!recorder_.on() && !watched_) return;
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
  const bool in_news = watched_ && step.message == told_in_full_;
  if (with_data && (recorder_.on() || in_news)) {
    step.data =
        message_to_json(message.type, message.reply, message.bytes).value_or("\"malformed\"");
  }
  step.text = std::move(text);
  recorder_.add(step, message.frame_bytes);
  if (!watched_) return;
  if (!in_news) step.data.clear();
  news_.push_back(json::parse(to_jsonl(step)));
  if (news_.size() <= kMostNews) return;
  news_.pop_front();
  ++missed_;
}

Json Network::news(const std::string& with_data) {
  watched_ = true;
  told_in_full_ = with_data;
  Json steps = Json::array();
  for (Json& step : news_) steps.push_back(std::move(step));
  news_.clear();
  return {{"steps", std::move(steps)}, {"missed", std::exchange(missed_, 0)}};
}

std::vector<NodeIndex> Network::chosen(const std::vector<NodeId>& names) const {
  std::vector<NodeIndex> indexes;
  for (NodeIndex index = 0; index < nodes_.size(); ++index) {
    const bool named = std::find(names.begin(), names.end(), nodes_[index]) != names.end();
    if (names.empty() || named) indexes.push_back(index);
  }
  return indexes;
}

void Network::apply(const sim::Action& action) {
  try {
    sim::validate(action, nodes_, "command");
  } catch (const JsonError& error) {
    throw SpecError(error.what());
  }
  const std::string& act = action.act;
  if (act != "cut" && act != "heal" && act != "link" && act != "drop") {
    throw SpecError(
        "command.act: \"" + act +
        "\" is done to a process, not to the network; the network knows cut, heal, link, "
        "drop, counts, news, flush, quit");
  }
  if (act == "link" && action.nodes.empty() && action.peers.empty()) links_.set_all(action.link);
  for (const NodeIndex from : chosen(action.nodes)) {
    for (const NodeIndex to : chosen(action.peers)) {
      if (from != to) apply(action, from, to);
    }
  }
}

void Network::apply(const sim::Action& action, NodeIndex from, NodeIndex to) {
  Step step;
  step.at = now_();
  step.node = name(from);
  step.peer = name(to);
  if (action.act == "cut") {
    step.kind = Step::Kind::cut;
    links_.cut(from, to);
  } else if (action.act == "heal") {
    step.kind = Step::Kind::heal;
    links_.heal(from, to);
  } else if (action.act == "link") {
    step.kind = Step::Kind::link;
    step.text = json::text(json::to(action.link));
    const bool all = action.nodes.empty() && action.peers.empty();  // then all share one model
    if (!all) links_.set_model(from, to, action.link);
  } else {
    step.kind = Step::Kind::forget;
    step.text = "the next " + std::to_string(action.count);
    step.message = action.message;
    const auto message = sim::message_called(action.message);
    const std::optional<MessageType> type = message ? std::optional(message->type) : std::nullopt;
    links_.drop_next(from, to, type, message && message->reply, action.count);
  }
  recorder_.add(step);
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
