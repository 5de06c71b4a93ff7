#include "quorum.h"

#include "quiet/absent.h"

namespace dynamo {

std::unique_ptr<QuorumCoordinator> make_quorum(Env&, const QuorumConfig&, ClusterView&, LocalStore&,
                                               LocalStore&, const Transfer&) {
  throw absent("quorum");
}

}  // namespace dynamo
