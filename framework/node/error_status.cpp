#include "node/error_status.h"

namespace dynamo {

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::already_exists:
      return 409;
    case ErrorCode::no_room:
      return 507;
    case ErrorCode::too_large:
      return 413;
    case ErrorCode::not_a_member:
    case ErrorCode::refused:
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::timed_out:
      return 504;
  }
  return 500;
}

}  // namespace dynamo
