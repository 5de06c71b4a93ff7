// The systems that speak HTTP; apart from the rest, for Beast is slow to compile.
#pragma once

#include "load/dialect.h"

namespace dynamo::load {

/// "dynamo" or "etcd"; null for any other.
std::unique_ptr<Dialect> make_http_dialect(const std::string& system, const Workload& workload,
                                           const std::string& host);

}  // namespace dynamo::load
