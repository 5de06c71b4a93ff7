#include "net/metrics.h"

namespace dynamo::net {

namespace {

template <class Map>
auto& at(Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found != map.end() ? found->second : map[std::string(key)];
}

}  // namespace

void Metrics::count(std::string_view name, std::string_view labels, std::uint64_t n) {
  at(at(families_, name).series, labels) += n;
}

void Metrics::gauge(std::string_view name, std::uint64_t value) {
  Family& family = at(families_, name);
  family.is_gauge = true;
  at(family.series, "") = value;
}

std::uint64_t Metrics::value(std::string_view name, std::string_view labels) const {
  const auto family = families_.find(name);
  if (family == families_.end()) return 0;
  const auto series = family->second.series.find(labels);
  return series == family->second.series.end() ? 0 : series->second;
}

std::string Metrics::text() const {
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# TYPE " + name + (family.is_gauge ? " gauge\n" : " counter\n");
    for (const auto& [labels, value] : family.series) {
      out += name + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(value) + "\n";
    }
  }
  return out;
}

}  // namespace dynamo::net
