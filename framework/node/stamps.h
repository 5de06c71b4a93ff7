// The stamps that given code puts on clients' writes, from lab 5 on.
#pragma once

#include <cstdint>
#include <optional>

#include "core/env.h"
#include "core/state.h"

namespace dynamo {

/// Strictly increasing on one node, also over restarts and when the wall clock runs back.
class Stamps {
 public:
  explicit Stamps(Env& env) : env_(env) {}

  /// Goes on behind the last stamp on the disk. Throws std::runtime_error if that is malformed.
  void load();

  /// Durable with the handler that it is taken in. Nothing if the disk has no room for the very
  /// first one; later ones need none, so that a full node still hands writes on.
  std::optional<Stamp> next();

 private:
  Env& env_;
  std::uint64_t time_us_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace dynamo
