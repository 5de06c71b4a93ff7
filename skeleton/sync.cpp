// Lab 6: Merkle trees. labs/6-sync/README.md says what is asked for.
#include "sync.h"

#include <memory>
#include <stdexcept>

namespace dynamo {
namespace {

class MerkleSync final : public Sync {
 public:
  MerkleSync(Env& env, const SyncConfig& config, ClusterView& view, LocalStore& store)
      : env_(env), config_(config), view_(view), store_(store) {}

  // These three do nothing until you write them, since the framework calls them from part A on.

  void start() override {}  // TODO(lab6 A, C): read the trees, or make them; B: begin to compare
  void changed(std::string_view /*key*/, const std::optional<StateHash>& /*before*/,
               const std::optional<StateHash>& /*after*/) override {}  // TODO(lab6 A)
  void history_grew(const History& /*before*/) override {}  // TODO(lab6 B): other owners?

  TreeHash root(VnodeId /*vnode*/) const override {
    throw std::logic_error("TODO(lab6 A): root: the hash at the place \"\"");
  }

  TreeNode node(VnodeId /*vnode*/, const TreePath& /*path*/) const override {
    throw std::logic_error("TODO(lab6 A): node: a leaf with its keys, or 16 children's hashes");
  }

  // What other nodes ask.

  void handle(const CompareRoots& /*ask*/, Responder<CompareRootsReply> /*responder*/) override {
    throw std::logic_error("TODO(lab6 B): CompareRoots: which of these are others here?");
  }

  void handle(const AskNodes& /*ask*/, Responder<AskNodesReply> /*responder*/) override {
    throw std::logic_error("TODO(lab6 B): AskNodes: what stands at these places?");
  }

  void handle(const AskCopies& /*ask*/, Responder<AskCopiesReply> /*responder*/) override {
    throw std::logic_error("TODO(lab6 B): AskCopies: the states, as many as a batch holds");
  }

 private:
  Env& env_;
  const SyncConfig config_;
  ClusterView& view_;
  LocalStore& store_;
};

}  // namespace

std::unique_ptr<Sync> make_sync(Env& env, const SyncConfig& config, ClusterView& view,
                                LocalStore& store) {
  return std::make_unique<MerkleSync>(env, config, view, store);
}

}  // namespace dynamo
