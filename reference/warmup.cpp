#include "warmup.h"

#include <stdexcept>

namespace dynamo {
std::unique_ptr<Warmup> make_warmup(Env&) { throw std::logic_error("being written"); }
}  // namespace dynamo
