// Errors as HTTP says them.
#pragma once

#include "core/result.h"

namespace dynamo {

/// 400, 404, 409, 413, 503, 504 or 507; docs/protocol.md lists them.
int status_of(ErrorCode code);

}  // namespace dynamo
