#include "sync.h"

#include "quiet/absent.h"

namespace dynamo {

std::unique_ptr<Sync> make_sync(Env&, const SyncConfig&, ClusterView&, LocalStore&) {
  throw absent("sync");
}

}  // namespace dynamo
