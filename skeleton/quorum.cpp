// Lab 5: quorums, read repair, hinted handoff. labs/5-quorum/README.md says what is asked for.
#include "quorum.h"

#include <memory>
#include <stdexcept>

namespace dynamo {
namespace {

class Quorums final : public QuorumCoordinator {
 public:
  Quorums(Env& env, const QuorumConfig& config, ClusterView& view, LocalStore& store,
          LocalStore& hints, const Transfer& transfer)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        hints_(hints),
        transfer_(transfer) {}

  // These two do nothing until you write them, since the framework calls them from part A on.

  void start() override {}  // TODO(lab5 A): read the disk, and go on with what is still owed
  void history_grew(const History& /*before*/) override {}  // TODO(lab5 A, C): other owners?

  // What clients ask.

  void put(const QuorumWrite& /*write*/, Responder<WriteOutcome> /*responder*/) override {
    // Part C: in sloppy mode others stand in for hosts that do not answer.
    throw std::logic_error("TODO(lab5 A): put: write here, send, and count who holds it");
  }

  void get(const QuorumRead& /*read*/, Responder<ReadOutcome> /*responder*/) override {
    // Part B: and when all have answered, mend those that lack something.
    throw std::logic_error("TODO(lab5 A): get: ask, merge, and count who has answered");
  }

  // What other nodes ask.

  void handle(const Update& /*request*/, Responder<UpdateReply> /*responder*/) override {
    throw std::logic_error("TODO(lab5 A): Update: merge, and confirm what is held here now");
  }

  void handle(const Read& /*request*/, Responder<ReadReply> /*responder*/) override {
    throw std::logic_error("TODO(lab5 A): Read: found, absent, or not mine");
  }

  void handle(const StoreHints& /*request*/, Responder<StoreHintsReply> /*responder*/) override {
    throw std::logic_error("TODO(lab5 C): StoreHints: keep them apart, and note whose they are");
  }

 private:
  Env& env_;
  const QuorumConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  LocalStore& hints_;
  const Transfer& transfer_;
};

}  // namespace

std::unique_ptr<QuorumCoordinator> make_quorum(Env& env, const QuorumConfig& config,
                                               ClusterView& view, LocalStore& store,
                                               LocalStore& hints, const Transfer& transfer) {
  return std::make_unique<Quorums>(env, config, view, store, hints, transfer);
}

}  // namespace dynamo
