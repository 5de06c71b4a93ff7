#include "ring.h"

#include <stdexcept>

namespace dynamo {
std::unique_ptr<Ring> make_ring(const RingConfig&) { throw std::logic_error("being written"); }
}  // namespace dynamo
