// Which requests were executed here: given from lab 5 on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/coordinator.h"
#include "core/env.h"

namespace dynamo {

/// Ids of executed requests, on disk. Each is remembered for at least `remember`, counted anew by a
/// restart, and for about twice as long at most: ids are added to one of three spaces, which take
/// turns of that length, and the oldest is emptied bit by bit. So no id needs a time of its own,
/// and memory and work in a handler do not depend on how many there are. After kMostInATurn ids a
/// turn ends before its time: a flood of requests must not fill the disk.
class RequestTable {
 public:
  static constexpr std::size_t kMostInATurn = 1'000'000;

  RequestTable(Env& env, Duration remember, std::size_t most_in_a_turn = kMostInATurn)
      : env_(env), remember_(remember), most_in_a_turn_(most_in_a_turn) {}

  /// Runs once, at the start of the process.
  void load();

  bool executed(const RequestId& id) const;

  /// False, and nothing is changed, if the disk has no room for it.
  bool add(const RequestId& id);

  /// It was refused after all.
  void forget(const RequestId& id);

 private:
  std::string space(std::uint64_t turns_ahead) const;
  void begin_turn();
  void end_turn();
  void empty_oldest();

  Env& env_;
  const Duration remember_;
  const std::size_t most_in_a_turn_;
  std::uint64_t current_ = 0;  ///< The space that ids are added to, as on disk: 0, 1 or 2.
  std::size_t added_ = 0;      ///< Ids of this turn, as far as this process has added them.
  bool emptying_ = false;      ///< The oldest space is not empty yet.
  TimerId turn_{};
};

}  // namespace dynamo
