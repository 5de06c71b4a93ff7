// An Env for tests of what lies between a module and the disk: memory, no time, no peers.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/env.h"
#include "storage/memory_store.h"

namespace dynamo::testing {

class StubEnv final : public Env {
 public:
  const NodeId& self() const override { return self_; }
  Incarnation incarnation() const override { return 1; }
  Instant now() const override { return {}; }
  Instant wall_clock() const override { return {}; }
  std::uint64_t random(std::uint64_t /*bound*/) override { return 0; }
  TimerId after(Duration /*delay*/, Callback /*callback*/) override { return {}; }
  void cancel(TimerId /*timer*/) override {}
  MemoryStore& storage() override { return storage_; }
  void note(std::string_view /*text*/) override {}

 protected:
  void call_raw(const NodeId& to, std::string_view /*type*/, std::string /*request*/,
                Duration /*timeout*/, RawDone /*done*/) override {
    throw std::logic_error("nobody expects a call to " + to);
  }

 private:
  static constexpr std::uint64_t kRoom = 16u << 20;

  NodeId self_ = "n1";
  MemoryStore storage_{kRoom};
};

}  // namespace dynamo::testing
