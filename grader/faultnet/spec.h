// What faultnet is told at its start: a JSON file.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/ids.h"
#include "sim/plan.h"

namespace dynamo::faultnet {

/// The file or a command is wrong; what() names the place and the cure.
class SpecError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

struct Spec {
  std::uint64_t seed = 1;
  std::vector<NodeId> nodes;             ///< Sorted by name.
  std::map<NodeId, Address> upstream;    ///< Where each node really listens for its peers.
  sim::LinkModel links;                  ///< Of every link, until a command changes one.
  std::map<NodeId, std::uint32_t> dial;  ///< Descriptors, by node: see dials.h.
  std::string record;                    ///< File of the trace; empty: none is kept.
};

/// Reads {"seed", "nodes": {"n1": "127.0.0.1:7001"}, "links": {…}, "record": "file"}.
Spec read_spec(const std::string& path);

/// The whole text of a file. Throws SpecError if it cannot be read.
std::string read_file(const std::string& path);

/// Throws SpecError if the file is no fault plan.
void check_plan(const std::string& path);

/// One command: an Action of a fault plan (cut, heal, link, drop), or counts, news, flush, quit.
sim::Action read_command(const std::string& line);

}  // namespace dynamo::faultnet
