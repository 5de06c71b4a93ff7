// Lab 0: a ping with retry and a durable counter. README.md is the handout; you implement Warmup in
// warmup.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/env.h"

namespace dynamo {

struct Pong {
  std::uint64_t count = 0;  ///< How many pings the answering node has counted, this one included.
  FIELDS(count)
};

struct Ping {
  static constexpr std::string_view type_name = "Ping";
  using Reply = Pong;
  std::uint64_t number = 0;  ///< Set by the sender; a retry carries the number of the first try.
  FIELDS(number)
};

/// Two nodes say hello. Every method runs inside a handler.
class Warmup {
 public:
  virtual ~Warmup() = default;

  /// Runs once, before anything else, at each start of the process: read the disk.
  virtual void start() = 0;

  /// Pings `peer`, again and again until it answers.
  virtual void ping(const NodeId& peer) = 0;

  /// Counts the ping, durably, and answers.
  virtual void handle(const Ping& request, Responder<Pong> responder) = 0;

  virtual std::uint64_t counted() const = 0;   ///< Pings counted since this disk was new.
  virtual std::uint64_t answered() const = 0;  ///< Own pings answered since this start.
};

/// You write this one, too. `env` outlives what it returns; do no I/O before start().
std::unique_ptr<Warmup> make_warmup(Env& env);

}  // namespace dynamo
