#include "node/node.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "core/codec.h"
#include "node/last_write_wins.h"
#include "node/no_transfer.h"

namespace dynamo {

bool Node::at_work(std::string_view module) const {
  const auto& modules = setup_.config.modules;
  return std::find(modules.begin(), modules.end(), module) != modules.end();
}

Node::Node(NodeSetup setup, Storage& storage, Effects& effects)
    : setup_(std::move(setup)), storage_(storage), effects_(effects) {
  const NodeConfig& config = setup_.config;
  if (at_work("membership")) {
    membership_ = make_membership(*this, {config.gossip_period, config.call_timeout, config.seeds});
  }
  if (at_work("ring")) ring_ = make_ring({config.q, config.n});
  if (at_work("warmup")) warmup_ = make_warmup(*this);
  if (membership_ && ring_) {
    view_ = std::make_unique<ModulesView>(*membership_, *ring_, RingConfig{config.q, config.n},
                                          [this](const History& before) {
                                            if (transfer_) transfer_->history_grew(before);
                                            if (lazy_) lazy_->history_grew(before);
                                          });
  }
  if (at_work("versioning")) {
    versioning_ =
        make_versioning(config.reconciliation == "last_write_wins" ? Reconciliation::last_write_wins
                                                                   : Reconciliation::siblings);
  }
  if (view_ && at_work("replication")) make_store();
}

void Node::make_store() {
  const NodeConfig& config = setup_.config;
  if (!versioning_) versioning_ = make_last_write_wins();
  Env& env = *this;
  store_ = std::make_unique<VersionedStore>(
      env, *versioning_, StoreLimits{config.q, config.max_siblings, config.max_state_bytes});
  const ReplicationConfig replication{config.call_timeout, config.retry_period,
                                      config.request_memory, config.batch_bytes, config.q};
  transfer_ =
      at_work("transfer") ? make_transfer(*this, replication, *view_, *store_) : make_no_transfer();
  lazy_ = make_coordinator(*this, replication, *view_, *store_, *transfer_);
}

Node::~Node() = default;

void Node::begin(const Moment& moment) {
  moment_ = moment;
  random_ = Random(moment.seed);
}

void Node::end() {
  if (view_) view_->follow(true);
}

void Node::start(const Moment& moment, bool bootstrap) {
  handler(moment, [&] {
    if (membership_) membership_->start(bootstrap);
    // What the disk held is no news: the modules read it themselves.
    if (view_) view_->follow(false);
    if (transfer_) transfer_->start(bootstrap);
    if (lazy_) lazy_->start();
    if (warmup_) warmup_->start();
  });
}

namespace {

/// Module takes Request: it has a handle() for it.
template <class Module, class Request>
concept Takes = requires(Module& module, const Request& request,
                         Responder<typename Request::Reply> responder) {
  module.handle(request, responder);
};

}  // namespace

template <class Request>
auto* Node::module_for() const {
  if constexpr (Takes<Membership, Request>) {
    return membership_.get();
  } else if constexpr (Takes<LazyCoordinator, Request>) {
    return lazy_.get();
  } else if constexpr (Takes<Transfer, Request>) {
    return transfer_.get();
  } else {
    static_assert(Takes<Warmup, Request>, "a request that no module has a handle() for");
    return warmup_.get();
  }
}

template <class Request>
bool Node::dispatch(RequestToken token, std::string_view bytes) {
  auto* const module = module_for<Request>();
  if (module == nullptr) return false;
  std::optional<Request> request = from_bytes<Request>(bytes);
  if (!request) return false;
  auto answered = std::make_shared<bool>(false);
  const Responder<typename Request::Reply> responder([this, token, answered](std::string reply) {
    if (std::exchange(*answered, true)) {
      throw std::logic_error("a " + std::string(Request::type_name) + " was answered twice");
    }
    effects_.reply(token, std::move(reply));
  });
  if constexpr (Takes<Coordinator, Request>) {
    serve(*request, responder);
  } else {
    module->handle(*request, responder);
  }
  return true;
}

bool Node::request(const Moment& moment, RequestToken token, const NodeId& /*from*/,
                   MessageType type, std::string_view bytes) {
  using Dispatch = bool (Node::*)(RequestToken, std::string_view);
  static constexpr auto table = []<class... Request>(RequestList<Request...>) {
    return std::array<Dispatch, sizeof...(Request)>{&Node::dispatch<Request>...};
  }(Requests{});
  if (type >= table.size()) return false;
  return handler(moment, [&] { return (this->*table[type])(token, bytes); });
}

void Node::call_ended(const Moment& moment, CallId id, Result<std::string> outcome) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  PendingCall call = std::move(found->second);
  calls_.erase(found);
  handler(moment, [&] {
    // Each request is a ping (lecture: "Failure Detection").
    if (membership_) {
      if (outcome.ok()) {
        membership_->peer_answered(call.to);
      } else {
        membership_->peer_silent(call.to);
      }
    }
    call.done(std::move(outcome));
  });
}

void Node::timer_fired(const Moment& moment, TimerId id) {
  const auto found = timers_.find(id);
  if (found == timers_.end()) return;
  Callback callback = std::move(found->second);
  timers_.erase(found);
  handler(moment, [&] { callback(); });
}

std::uint64_t Node::random(std::uint64_t bound) {
  if (bound == 0) throw std::invalid_argument("env.random(0): the bound must be at least 1");
  return random_.below(bound);
}

TimerId Node::after(Duration delay, Callback callback) {
  const TimerId id{++last_id_};
  timers_.emplace(id, std::move(callback));
  effects_.set_timer(id, std::max(delay, Duration::zero()));
  return id;
}

void Node::cancel(TimerId timer) {
  if (timers_.erase(timer) != 0) effects_.cancel_timer(timer);
}

void Node::call_raw(const NodeId& to, std::string_view type, std::string request_bytes,
                    Duration timeout, RawDone done) {
  const CallId id = ++last_id_;
  calls_.emplace(id, PendingCall{to, std::move(done)});
  effects_.call(id, to, *message_named(type), std::move(request_bytes),
                std::max(timeout, Duration::zero()));
}

namespace {

template <class Module>
auto* module_of(Node& node) {
  if constexpr (std::is_same_v<Module, Membership>) return node.membership();
  if constexpr (std::is_same_v<Module, Ring>) return node.ring();
  if constexpr (std::is_same_v<Module, Warmup>) return node.warmup();
  if constexpr (std::is_same_v<Module, Transfer>) return node.transfer();
  if constexpr (std::is_same_v<Module, Versioning>) return node.versioning();
}

/// What a method returned, encoded; `void` becomes Done.
template <auto M>
std::optional<std::string> run(Node& node, std::string_view encoded_args) {
  using Traits = MethodTraits<decltype(M)>;
  auto* module = module_of<typename Traits::Module>(node);
  auto args = codec::decode<typename Traits::Arguments>(encoded_args);
  if (module == nullptr || !args) return std::nullopt;
  return std::apply(
      [&](const auto&... arg) {
        if constexpr (std::is_void_v<typename Traits::Value>) {
          (module->*M)(arg...);
          return codec::encode(Done{});
        } else {
          return codec::encode((module->*M)(arg...));
        }
      },
      *args);
}

template <auto... M>
std::optional<std::string> run_numbered(Node& node, MethodId method, std::string_view args,
                                        MethodList<M...>) {
  using Run = std::optional<std::string> (*)(Node&, std::string_view);
  static constexpr Run table[] = {&run<M>...};
  if (method >= std::size(table)) return std::nullopt;
  return table[method](node, args);
}

}  // namespace

std::optional<std::string> Node::invoke(const Moment& moment, MethodId method,
                                        std::string_view args) {
  return handler(moment, [&] { return run_numbered(*this, method, args, Methods{}); });
}

}  // namespace dynamo
