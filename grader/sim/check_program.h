// The program around the checks that are linked into it.
#pragma once

#include <memory>

#include "sim/host.h"

namespace dynamo::sim {

/// All of main: runs the checks as the arguments say, see --help. 0: all passed · 1: one failed ·
/// 2: the grader had trouble, or the arguments are wrong.
int check_program(int argc, char** argv);

/// Set by linked_main.cpp where a solution is linked in; else null.
inline std::unique_ptr<Host> (*linked_host_factory)() = nullptr;

}  // namespace dynamo::sim
