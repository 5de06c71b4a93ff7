// Lab 3: every key on N nodes. labs/3-replication/README.md says what is asked for.
#include "replication.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

class Replication final : public LazyCoordinator {
 public:
  Replication(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store,
              const Transfer& transfer)
      : env_(env), config_(config), view_(view), store_(store), transfer_(transfer) {}

  // These two do nothing until you write them, since the framework calls them from part A on.

  void start() override {}  // TODO(lab3 B): read the disk, and go on with what is still owed
  void history_grew(const History& /*before*/) override {}  // TODO(lab3 C): other owners?

  // What clients ask.

  void handle(const ClientWrite& /*request*/, Responder<WriteOutcome> /*responder*/) override {
    throw std::logic_error("TODO(lab3 A): ClientWrite: stamp it once, walk the preference list");
  }

  void handle(const ClientRead& /*request*/, Responder<ReadOutcome> /*responder*/) override {
    throw std::logic_error("TODO(lab3 A): ClientRead: what is held here, or walk");
  }

  // What other nodes ask.

  void handle(const Write& /*request*/, Responder<WriteReply> /*responder*/) override {
    // Part B: an id that was executed here is not executed again.
    throw std::logic_error("TODO(lab3 A): Write: execute it and answer; propagate afterwards");
  }

  void handle(const Read& /*request*/, Responder<ReadReply> /*responder*/) override {
    throw std::logic_error("TODO(lab3 A): Read: found, absent, or not mine");
  }

  void handle(const Update& /*request*/, Responder<UpdateReply> /*responder*/) override {
    throw std::logic_error("TODO(lab3 A): Update: merge, and confirm what is held here now");
  }

 private:
  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  const Transfer& transfer_;
};

// Without part C every node says "absent" at once for what it does not hold: right as long as
// the members stay the same, so parts A and B can be tried in a real cluster. After a join or a
// leave keys seem to be gone.
class VnodeTransfer final : public Transfer {
 public:
  VnodeTransfer(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store)
      : env_(env), config_(config), view_(view), store_(store) {}

  void start(bool /*bootstrap*/) override {}  // TODO(lab3 C): what is complete? ask for the rest

  bool complete(VnodeId /*vnode*/) const override { return true; }  // TODO(lab3 C)

  void handle(const AskTransfer& /*ask*/, Responder<AskTransferReply> /*responder*/) override {
    throw std::logic_error("TODO(lab3 C): AskTransfer: send what is held of these vnodes");
  }

  void handle(const SentAll& /*request*/, Responder<SentAllReply> /*responder*/) override {
    throw std::logic_error("TODO(lab3 C): SentAll: is a vnode complete now?");
  }

  // Called whenever this node learns of a join or a leave, from part A on.
  void history_grew(const History& /*before*/) override {}  // TODO(lab3 C)

 private:
  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;
};

}  // namespace

std::unique_ptr<LazyCoordinator> make_coordinator(Env& env, const ReplicationConfig& config,
                                                  ClusterView& view, LocalStore& store,
                                                  const Transfer& transfer) {
  return std::make_unique<Replication>(env, config, view, store, transfer);
}

std::unique_ptr<Transfer> make_transfer(Env& env, const ReplicationConfig& config,
                                        ClusterView& view, LocalStore& store) {
  return std::make_unique<VnodeTransfer>(env, config, view, store);
}

}  // namespace dynamo
