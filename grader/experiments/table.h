/// What the programs of ./lab experiment share: `NAME-table NODE NUMBER…` measures a solution's
/// node, out of process, and prints one JSON document.
///
/// Exit code 1: the solution failed, and why stands on stderr. 2: wrong arguments, or the grader's
/// own trouble.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "sim/host.h"

namespace dynamo::sim {

/// One of the numbers on the command line, both bounds included.
struct NumberArgument {
  std::string name;  ///< As the usage names it: "VALUE_BYTES".
  std::uint32_t least = 0;
  std::uint32_t most = 0;
};

/// `main` of such a program: checks the arguments, starts a host of the node, lets `print` work
/// with it and the numbers, in the order of `arguments`. `apart`: whether these
/// numbers ask for ProcessOptions::apart; null: none do.
int run_table(int argc, char** argv, std::span<const NumberArgument> arguments,
              const std::function<void(Host&, std::span<const std::uint32_t>)>& print,
              const std::function<bool(std::span<const std::uint32_t>)>& apart = nullptr);

}  // namespace dynamo::sim
