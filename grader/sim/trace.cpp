#include "sim/trace.h"

#include <array>

#include "core/json.h"

namespace dynamo::sim {

std::string_view name_of(Step::Kind kind) {
  static constexpr auto names = std::to_array<std::string_view>(
      {"start",   "send",    "receive",   "drop",       "refused",   "timeout", "timer",
       "commit",  "console", "answer",    "client",     "told",      "check",   "crash",
       "restart", "wipe",    "pause",     "resume",     "cut",       "heal",    "link",
       "forget",  "skew",    "disk_full", "disk_freed", "configure", "note",    "phase",
       "running", "ring",    "ring_then", "places"});
  return names.at(static_cast<std::size_t>(kind));
}

std::string to_jsonl(const Step& step) {
  Json line;
  line["t_us"] = step.at.time_since_epoch().count();
  if (!step.node.empty()) line["node"] = step.node;
  line["event"] = name_of(step.kind);
  if (!step.peer.empty()) line["peer"] = step.peer;
  if (!step.message.empty()) line["message"] = step.message;
  if (step.reply) line["reply"] = true;
  if (step.id != 0) line["id"] = step.id;
  if (step.writes != 0) line["writes"] = step.writes;
  if (!step.data.empty()) line["data"] = json::parse(step.data);
  if (!step.text.empty()) line["text"] = step.text;
  return json::text(line);
}

void Trace::add(Step step) {
  if (steps_.size() < kMost) steps_.push_back(std::move(step));
}

}  // namespace dynamo::sim
