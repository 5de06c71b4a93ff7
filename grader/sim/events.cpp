#include "sim/events.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/json.h"
#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

using Kind = Step::Kind;

/// Fields with which a reply brings something to who asked. Events of a history that are new to him
/// are written to his disk, and what a reply confirms he knew.
constexpr auto kNews = std::to_array<std::string_view>({"state", "copies", "nodes", "differing"});

bool brings_something(const Step& reply) {
  const Json data = json::parse(reply.data);
  if (!data.is_object()) return false;
  return std::any_of(kNews.begin(), kNews.end(), [&](std::string_view field) {
    const auto found = data.find(field);
    return found != data.end() && !found->is_null() && !found->empty();
  });
}

/// Follows cuts and links, so that ending what had not begun is no event.
class Network {
 public:
  bool changes(const Step& step) {
    const std::pair link(step.node, step.peer);
    if (step.kind == Kind::cut) return cuts_.insert(link).second;
    if (step.kind == Kind::heal) {
      const bool any = !cuts_.empty();
      if (!step.node.empty()) return cuts_.erase(link) != 0;
      cuts_.clear();
      return any;
    }
    if (!step.node.empty()) return std::exchange(models_[link], step.text) != step.text;
    const bool other = models_.size() != 1 || models_[link] != step.text;  // of all links
    models_ = {{link, step.text}};
    return other;
  }

 private:
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::map<std::pair<NodeId, NodeId>, std::string> models_;
};

/// Follows what is heard, so that hearing the same again is no event.
class Ears {
 public:
  /// Whether `from` hears something that it did not hear there last time, asking for `what`.
  bool hears_news(const NodeId& from, const NodeId& to, const std::string& what,
                  const std::string& answer) {
    std::string& last = last_[{from, to, what}];
    if (last == answer) return false;
    last = answer;
    return true;
  }

 private:
  std::map<std::tuple<NodeId, NodeId, std::string>, std::string> last_;
};

class Marker {
 public:
  explicit Marker(const std::vector<Step>& steps) : steps_(steps), marks_(steps.size()) {}

  std::vector<Mark> run() {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (ends_beginning(steps_, i) || is_event(i)) marks_[i] = Mark::event;
    }
    return std::move(marks_);
  }

 private:
  bool is_event(std::size_t i) {
    const Step& step = steps_[i];
    switch (step.kind) {
      case Kind::receive:
        return step.writes != 0 ||
               (step.reply && brings_something(step) &&
                ears_.hears_news(step.node, step.peer, step.message, step.data));
      case Kind::timer:
      case Kind::check:
        return step.writes != 0;
      case Kind::drop:
        return step.text == "lost" || step.text == "the plan drops it" ||
               step.text == "its checksum is wrong";
      case Kind::client:
        asked_[step.id] = i;
        return true;
      case Kind::told:
        hear(i);
        return false;
      case Kind::restart:  // right after its kill it is one with it
        return !(i > 0 && steps_[i - 1].kind == Kind::crash && steps_[i - 1].node == step.node &&
                 steps_[i - 1].at == step.at);
      case Kind::cut:
      case Kind::heal:
      case Kind::link:
        return changes_links(i);
      case Kind::console:
      case Kind::start:
      case Kind::crash:
      case Kind::wipe:
      case Kind::pause:
      case Kind::resume:
      case Kind::skew:
      case Kind::disk_full:
      case Kind::disk_freed:
      case Kind::configure:
        return true;
      default:
        return false;
    }
  }

  /// A get that hears what the last one heard takes its mark back.
  void hear(std::size_t i) {
    const auto asked = asked_.find(steps_[i].id);
    if (asked == asked_.end()) return;
    const Step& client = steps_[asked->second];
    if (client.message == "get" &&
        !ears_.hears_news("client", client.node, client.text, steps_[i].text)) {
      marks_[asked->second] = marks_[i] = Mark::again;
    }
    asked_.erase(asked);
  }

  /// What is done at one moment to several links is one event.
  bool changes_links(std::size_t i) {
    if (!network_.changes(steps_[i])) {
      marks_[i] = Mark::again;
      return false;
    }
    return std::exchange(moment_, {steps_[i].kind, steps_[i].at}) !=
           std::pair(steps_[i].kind, steps_[i].at);
  }

  const std::vector<Step>& steps_;
  std::vector<Mark> marks_;
  Network network_;
  Ears ears_;
  std::map<std::uint64_t, std::size_t> asked_;  ///< Clients' operations without an answer yet.
  std::pair<Kind, Instant> moment_{Kind::note, Instant{}};  ///< Of the last change of links.
};

}  // namespace

std::vector<Mark> mark_events(const std::vector<Step>& steps) { return Marker(steps).run(); }

std::size_t count_events(const std::vector<Step>& steps) {
  const std::vector<Mark> marks = mark_events(steps);
  return static_cast<std::size_t>(std::count(marks.begin(), marks.end(), Mark::event));
}

}  // namespace dynamo::sim
