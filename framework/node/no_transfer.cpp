#include "node/no_transfer.h"

namespace dynamo {

namespace {

class NoTransfer final : public Transfer {
 public:
  void start(bool /*bootstrap*/) override {}
  bool complete(VnodeId /*vnode*/) const override { return true; }
  void handle(const AskTransfer&, Responder<AskTransferReply> responder) override {
    responder.reply({});
  }
  void handle(const SentAll&, Responder<SentAllReply> responder) override { responder.reply({}); }
  void history_grew(const History& /*before*/) override {}
};

}  // namespace

std::unique_ptr<Transfer> make_no_transfer() { return std::make_unique<NoTransfer>(); }

}  // namespace dynamo
