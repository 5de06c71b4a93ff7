#include "warmup.h"

#include "quiet/absent.h"

namespace dynamo {

std::unique_ptr<Warmup> make_warmup(Env&) { throw absent("warmup"); }

}  // namespace dynamo
