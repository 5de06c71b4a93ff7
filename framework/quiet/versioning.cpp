#include "versioning.h"

#include "quiet/absent.h"

namespace dynamo {

std::unique_ptr<Versioning> make_versioning(Reconciliation) { throw absent("versioning"); }

}  // namespace dynamo
