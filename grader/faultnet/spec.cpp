#include "faultnet/spec.h"

#include <charconv>
#include <fstream>
#include <sstream>

#include "core/json.h"
#include "sim/plan_json.h"

namespace dynamo::faultnet {

namespace {

Json parse(const std::string& text, const std::string& where) {
  Json document = json::parse(text);
  if (document.is_discarded()) throw SpecError(where + ": this is no JSON");
  if (!document.is_object())
    throw SpecError(where + ": expected an object, found " + json::text(document));
  return document;
}

Address address_of(const Json& in, const std::string& where) {
  const std::string text = in.is_string() ? in.get<std::string>() : json::text(in);
  const std::size_t colon = text.rfind(':');
  Address address;
  if (colon != std::string::npos) {
    address.host = text.substr(0, colon);
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (error == std::errc() && rest == end && address.port != 0 && !address.host.empty()) {
      return address;
    }
  }
  throw SpecError(where + ": expected an address such as \"127.0.0.1:7001\", found " +
                  json::text(in));
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) throw SpecError(path + ": this file cannot be read");
  return text.str();
}

Spec read_spec(const std::string& path) {
  const Json document = parse(read_file(path), path);
  Spec spec;
  try {
    for (const auto& [key, value] : document.items()) {
      const std::string where = path + ": " + key;
      if (key == "seed") {
        json::from(value, spec.seed, where);
      } else if (key == "links") {
        json::from(value, spec.links, where);
        sim::validate(spec.links, where);
      } else if (key == "record") {
        json::from(value, spec.record, where);
      } else if (key == "dial" && value.is_object()) {
        for (const auto& [node, fd] : value.items()) {
          json::from(fd, spec.dial[node], where + "." + node);
        }
      } else if (key == "nodes" && value.is_object()) {
        for (const auto& [node, address] : value.items()) {
          spec.upstream[node] = address_of(address, where + "." + node);
        }
      } else {
        throw SpecError(where +
                        ": not known, or not of the right kind; known are: seed (number), nodes "
                        "(object), links (object), record (file name), "
                        "dial (object)");
      }
    }
  } catch (const JsonError& error) {
    throw SpecError(error.what());
  }
  for (const auto& [node, address] : spec.upstream) spec.nodes.push_back(node);
  if (spec.nodes.empty()) throw SpecError(path + ": nodes: names no node");
  return spec;
}

void check_plan(const std::string& path) {
  try {
    (void)sim::plan_from_json(read_file(path), path);
  } catch (const JsonError& error) {
    throw SpecError(error.what());
  }
}

sim::Action read_command(const std::string& line) {
  sim::Action action;
  try {
    json::from(parse(line, "command"), action, "command");
  } catch (const JsonError& error) {
    throw SpecError(error.what());
  }
  return action;
}

}  // namespace dynamo::faultnet
