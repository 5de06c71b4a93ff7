// Only in a program of checks with a solution inside, for gdb: lets `--linked` find it.
#include "sim/check_program.h"

namespace dynamo::sim {

namespace {

[[maybe_unused]] const bool linked = [] {
  linked_host_factory = &make_linked_host;
  return true;
}();

}  // namespace

}  // namespace dynamo::sim
