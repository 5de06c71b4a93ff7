// Lab 6: Merkle sync. labs/6-sync/README.md says what is asked for.
#include "sync.h"

#include <memory>
#include <stdexcept>

namespace dynamo {
namespace {

class MerkleSync final : public Sync {
 public:
  void start() override {}
  TreeHash root(VnodeId) const override { return {}; }
  TreeNode node(VnodeId, const TreePath&) const override { return {}; }
  void changed(std::string_view, const std::optional<StateHash>&,
               const std::optional<StateHash>&) override {}
  void handle(const CompareRoots&, Responder<CompareRootsReply>) override {
    throw std::logic_error("CompareRoots");
  }
  void handle(const AskNodes&, Responder<AskNodesReply>) override {
    throw std::logic_error("AskNodes");
  }
  void handle(const AskCopies&, Responder<AskCopiesReply>) override {
    throw std::logic_error("AskCopies");
  }
  void history_grew(const History&) override {}
};

}  // namespace

std::unique_ptr<Sync> make_sync(Env&, const SyncConfig&, ClusterView&, LocalStore&) {
  return std::make_unique<MerkleSync>();
}

}  // namespace dynamo
