// Lab 5: quorums. labs/5-quorum/README.md says what is asked for.
#include "quorum.h"

#include <memory>
#include <stdexcept>

namespace dynamo {
namespace {

class Quorums final : public QuorumCoordinator {
 public:
  void start() override {}
  void put(const QuorumWrite&, Responder<WriteOutcome>) override { throw std::logic_error("put"); }
  void get(const QuorumRead&, Responder<ReadOutcome>) override { throw std::logic_error("get"); }
  void handle(const Update&, Responder<UpdateReply>) override { throw std::logic_error("Update"); }
  void handle(const Read&, Responder<ReadReply>) override { throw std::logic_error("Read"); }
  void handle(const StoreHints&, Responder<StoreHintsReply>) override {
    throw std::logic_error("StoreHints");
  }
  void history_grew(const History&) override {}
};

}  // namespace

std::unique_ptr<QuorumCoordinator> make_quorum(Env&, const QuorumConfig&, ClusterView&, LocalStore&,
                                               LocalStore&, const Transfer&) {
  return std::make_unique<Quorums>();
}

}  // namespace dynamo
