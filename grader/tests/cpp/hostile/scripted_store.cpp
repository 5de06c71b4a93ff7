// A coordinator for tests of simulated clients: one copy, at the node asked, and a way for each
// key. "later": the answer takes 100 ms. "silent": it never comes. "refused" and "unavailable":
// that is the answer. Any other key: at once.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>

#include "replication.h"

namespace dynamo {
namespace {

class OneCopy final : public LazyCoordinator {
 public:
  OneCopy(Env& env, LocalStore& store) : env_(env), store_(store) {}

  void start() override {}

  void handle(const ClientWrite& request, Responder<WriteOutcome> responder) override {
    NewVersion version{request.value, request.context, {}};
    version.stamp.time_us = static_cast<std::uint64_t>(env_.now().time_since_epoch().count());
    version.stamp.sequence = ++writes_;
    const Result<StateHash> made = store_.write(request.key, version);
    WriteOutcome outcome{Done{}, 1, made.ok() ? 1u : 0u};
    if (!made.ok()) outcome.status = made.error();
    if (request.key == "refused") outcome.status = Error{ErrorCode::no_room, "full"};
    if (request.key == "unavailable") outcome.status = Error{ErrorCode::unavailable, "nobody"};
    answer(request.key, [responder, outcome] { responder.reply(outcome); });
  }

  void handle(const ClientRead& request, Responder<ReadOutcome> responder) override {
    ReadOutcome outcome{store_.get(request.key), 1, 1, {}};
    answer(request.key, [responder, outcome] { responder.reply(outcome); });
  }

  void handle(const Write&, Responder<WriteReply> responder) override { responder.reply({}); }
  void handle(const Read&, Responder<ReadReply> responder) override { responder.reply({}); }
  void handle(const Update& request, Responder<UpdateReply> responder) override {
    for (const Copy& copy : request.copies) {
      if (copy.state) (void)store_.merge(copy.key, *copy.state);
    }
    responder.reply({});
  }
  void history_grew(const History&) override {}

 private:
  void answer(const std::string& key, const Env::Callback& reply) {
    if (key == "silent") return;
    if (key != "later") return reply();
    env_.after(std::chrono::milliseconds(100), reply);
  }

  Env& env_;
  LocalStore& store_;
  std::uint64_t writes_ = 0;
};

}  // namespace

std::unique_ptr<LazyCoordinator> make_coordinator(Env& env, const ReplicationConfig&, ClusterView&,
                                                  LocalStore& store, const Transfer&) {
  return std::make_unique<OneCopy>(env, store);
}
std::unique_ptr<Transfer> make_transfer(Env&, const ReplicationConfig&, ClusterView&, LocalStore&) {
  throw std::logic_error("these worlds have no transfer");
}

}  // namespace dynamo
