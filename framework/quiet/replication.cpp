#include "replication.h"

#include "quiet/absent.h"

namespace dynamo {

std::unique_ptr<LazyCoordinator> make_coordinator(Env&, const ReplicationConfig&, ClusterView&,
                                                  LocalStore&, const Transfer&) {
  throw absent("replication");
}

}  // namespace dynamo
