#include "net/metrics.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace dynamo::net {

namespace {

struct Meaning {
  std::string_view name;
  std::string_view type;
  std::string_view help;
};

constexpr std::array kMeanings = {
    Meaning{"dynamo_commit_bytes_total", "counter", "Bytes of keys and values in commits."},
    Meaning{"dynamo_commit_seconds", "histogram",
            "From the end of a turn until its writes are durable."},
    Meaning{"dynamo_commit_writes_total", "counter", "Keys set or erased in commits."},
    Meaning{"dynamo_commits_total", "counter", "Commits that had something to write."},
    Meaning{"dynamo_connections_refused_total", "counter", "Peers' connections turned away."},
    Meaning{"dynamo_frame_bytes_total", "counter", "Bytes of frames to and from peers."},
    Meaning{"dynamo_frames_dropped_total", "counter", "Frames that were of no use."},
    Meaning{"dynamo_frames_total", "counter", "Messages to and from peers, replies included."},
    Meaning{"dynamo_handlers_total", "counter", "Events handled."},
    Meaning{"dynamo_history_events", "gauge", "Changes in the history of the membership."},
    Meaning{"dynamo_http_requests_total", "counter", "HTTP requests answered."},
    Meaning{"dynamo_members", "gauge", "Members in this node's view."},
    Meaning{"dynamo_queue_full_total", "counter", "Messages that found a peer's queue full."},
    Meaning{"dynamo_suspects", "gauge", "Members that do not answer this node."},
    Meaning{"dynamo_sync_bytes_total", "counter", "Bytes of the exchanges that this node began."},
    Meaning{"dynamo_sync_comparisons_total", "counter", "Messages with roots that were sent."},
    Meaning{"dynamo_sync_keys_total", "counter", "States moved by exchanges that this node began."},
    Meaning{"dynamo_uptime_seconds", "gauge", "Since the process began."},
};

const Meaning& meaning_of(std::string_view name) {
  const auto* const found = std::find_if(kMeanings.begin(), kMeanings.end(),
                                         [&](const Meaning& m) { return m.name == name; });
  if (found == kMeanings.end()) {
    throw std::logic_error("metrics.cpp does not list " + std::string(name));
  }
  return *found;
}

/// name="value",… with the three characters escaped that would end a value.
std::string text_of(Labels labels) {
  std::string out;
  for (const Label& label : labels) {
    if (!out.empty()) out += ',';
    out.append(label.name).append("=\"");
    for (const char c : label.value) {
      if (c == '\\' || c == '"') out += '\\';
      out += c == '\n' ? "\\n" : std::string_view(&c, 1);
    }
    out += '"';
  }
  return out;
}

}  // namespace

Metrics::Family& Metrics::family(std::string_view name, std::string_view type) {
  const auto found = families_.find(name);
  if (found != families_.end()) return found->second;
  if (meaning_of(name).type != type) {
    throw std::logic_error(std::string(name) + " is no " + std::string(type));
  }
  return families_[std::string(name)];
}

std::uint64_t& Metrics::counter(std::string_view name, Labels labels) {
  return family(name, "counter").series[text_of(labels)];
}

void Metrics::gauge(std::string_view name, std::uint64_t value) {
  family(name, "gauge").series[""] = value;
}

void Metrics::observe_seconds(std::string_view name, double seconds) {
  Histogram& histogram = family(name, "histogram").histogram;
  ++histogram.count;
  histogram.sum += seconds;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= std::strtod(kBounds[i].data(), nullptr)) ++histogram.at_most[i];
  }
}

std::uint64_t Metrics::value(std::string_view name, Labels labels) const {
  const auto family = families_.find(name);
  if (family == families_.end()) return 0;
  const auto series = family->second.series.find(text_of(labels));
  return series == family->second.series.end() ? 0 : series->second;
}

std::string Metrics::text() const {
  std::string out;
  const auto line = [&out](std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) out += part;
    out += '\n';
  };
  for (const auto& [name, family] : families_) {
    const Meaning& meaning = meaning_of(name);
    line({"# HELP ", name, " ", meaning.help});
    line({"# TYPE ", name, " ", meaning.type});
    for (const auto& [labels, value] : family.series) {
      const bool bare = labels.empty();
      line({name, bare ? "" : "{", labels, bare ? "" : "}", " ", std::to_string(value)});
    }
    if (meaning.type != "histogram") continue;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      line(
          {name, "_bucket{le=\"", kBounds[i], "\"} ", std::to_string(family.histogram.at_most[i])});
    }
    const std::string count = std::to_string(family.histogram.count);
    line({name, "_bucket{le=\"+Inf\"} ", count});
    std::array<char, 32> sum{};
    std::snprintf(sum.data(), sum.size(), "%.9g", family.histogram.sum);
    line({name, "_sum ", sum.data()});
    line({name, "_count ", count});
  }
  return out;
}

}  // namespace dynamo::net
