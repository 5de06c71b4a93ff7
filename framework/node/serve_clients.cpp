// What stands between a client's request and the coordinator: limits and the deadline.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "core/codec.h"
#include "node/node.h"

namespace dynamo {

namespace {

Error not_a_member(const NodeId& self) {
  return {ErrorCode::not_a_member, self + " is not a member; ask a node that is one"};
}

Status key_fits(const std::string& key) {
  if (!key.empty() && key.size() <= kMaxKeyBytes) return Done{};
  return Error{ErrorCode::invalid_argument, "a key has 1 to " + std::to_string(kMaxKeyBytes) +
                                                " bytes, this one " + std::to_string(key.size())};
}

WriteOutcome failed(const ClientWrite&, Error error) { return {std::move(error), 1, 0}; }
ReadOutcome failed(const ClientRead&, Error error) { return {std::move(error), 1, 0, {}}; }

void add_context(const Versioning&, WriteOutcome&) {}

/// What the client sends back with its next write of the key (P§4.4).
void add_context(const Versioning& versioning, ReadOutcome& outcome) {
  if (!outcome.state.ok() || !outcome.state.value()) return;
  const std::optional<KeyState> state = key_state_of(*outcome.state.value());
  if (!state) {
    outcome.state = Error{ErrorCode::invalid_argument, "the coordinator answered with no state"};
    return;
  }
  VectorClock context = versioning.context(*state);
  std::sort(context.entries.begin(), context.entries.end());
  outcome.context = to_bytes(context);
}

}  // namespace

Status Node::admit(const ClientWrite& request) const {
  if (!view_->member(setup_.self)) return not_a_member(setup_.self);
  const std::uint64_t limit = setup_.config.max_value_bytes;
  if (request.value && request.value->size() > limit) {
    return Error{ErrorCode::too_large, "a value has at most " + std::to_string(limit) +
                                           " bytes, this one " +
                                           std::to_string(request.value->size())};
  }
  // Modules keep ids as keys of Storage.
  if (request.id.client.size() > kMaxRequestIdBytes) {
    return Error{ErrorCode::invalid_argument, "a request id names its client in at most " +
                                                  std::to_string(kMaxRequestIdBytes) + " bytes"};
  }
  if (!request.context.empty() && !from_bytes<VectorClock>(request.context)) {
    return Error{ErrorCode::invalid_argument, "the context is malformed"};
  }
  return key_fits(request.key);
}

Status Node::admit(const ClientRead& request) const {
  if (!view_->member(setup_.self)) return not_a_member(setup_.self);
  return key_fits(request.key);
}

template <class Request>
void Node::serve(const Request& request, Responder<typename Request::Reply> responder) {
  using Reply = typename Request::Reply;
  const Status admitted = admit(request);
  if (!admitted) return responder.reply(failed(request, admitted.error()));
  struct Waiting {
    bool answered = false;  ///< By the coordinator.
    bool expired = false;
    TimerId deadline{};
  };
  auto waiting = std::make_shared<Waiting>();
  waiting->deadline = after(setup_.config.request_deadline, [request, responder, waiting] {
    waiting->expired = true;
    responder.reply(
        failed(request, {ErrorCode::timed_out, "the request was not done by its deadline"}));
  });
  coordinator()->handle(
      request, Responder<Reply>([this, responder, waiting](std::string bytes) {
        if (std::exchange(waiting->answered, true)) {
          throw std::logic_error("a " + std::string(Request::type_name) + " was answered twice");
        }
        if (waiting->expired) return;
        cancel(waiting->deadline);
        auto outcome = from_bytes<Reply>(bytes).value();
        add_context(*versioning_, outcome);
        responder.reply(outcome);
      }));
}

template void Node::serve(const ClientWrite& request, Responder<WriteOutcome> responder);
template void Node::serve(const ClientRead& request, Responder<ReadOutcome> responder);

}  // namespace dynamo
