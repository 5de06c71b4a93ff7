// Where the nodes of one world live, and the way over to them.
#pragma once

#include <cstddef>
#include <vector>

#include "sim/host.h"

namespace dynamo::sim {

/// A world queues handlers on its nodes' hosts and then crosses. One world may have a host to
/// itself, or many worlds may share hosts and cross together (sim/lanes.h).
class Crossing {
 public:
  struct Place {
    Host* host = nullptr;
    Slot slot = 0;
  };

  virtual ~Crossing() = default;

  /// Where the plan's node number `node` lives; always the same answer.
  virtual Place place(std::size_t node) = 0;

  /// What came of the handlers that were queued since the last time. `queued`: the host of each, in
  /// the order in which they were queued; so is the answer. Throws as Host::exchange does.
  virtual std::vector<Handled> exchange(const std::vector<Host*>& queued) = 0;
};

/// One world alone, on one host or on several: node i lives on host i mod hosts.size().
class SoloCrossing final : public Crossing {
 public:
  explicit SoloCrossing(std::vector<Host*> hosts) : hosts_(std::move(hosts)) {}
  Place place(std::size_t node) override {
    return {hosts_[node % hosts_.size()], static_cast<Slot>(node)};
  }
  std::vector<Handled> exchange(const std::vector<Host*>& queued) override;

 private:
  std::vector<Host*> hosts_;
};

}  // namespace dynamo::sim
