#include "replication.h"

#include "quiet/absent.h"

namespace dynamo {

std::unique_ptr<Transfer> make_transfer(Env&, const ReplicationConfig&, ClusterView&, LocalStore&) {
  throw absent("transfer");
}

}  // namespace dynamo
