// The host process: nodes of a solution, served to the process that started it.
#pragma once

#include <string>
#include <vector>

namespace dynamo::host {

/// What dynamo-node's main does for `--host`; `args` are those after it:
///     --mailbox FD     the shared memory (host/mailbox.h)
///     --bell FD        a socket to wake and be woken by; without it, futexes
///     --parent PID     who started us: when it is gone, so are we
///     --perturb SEED   another heap layout
/// Ends the process with 0 when the parent is gone. Returns 2 for wrong arguments, named on stderr.
int serve(const std::vector<std::string>& args);

}  // namespace dynamo::host
