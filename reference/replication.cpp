#include "replication.h"
namespace dynamo {
std::unique_ptr<LazyCoordinator> make_coordinator(Env&, const ReplicationConfig&, ClusterView&, LocalStore&, const Transfer&) { return nullptr; }
std::unique_ptr<Transfer> make_transfer(Env&, const ReplicationConfig&, ClusterView&, LocalStore&) { return nullptr; }
}
