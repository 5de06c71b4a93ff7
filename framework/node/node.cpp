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
                                          [this](const History& before) { history_grew(before); });
  }
  if (at_work("versioning")) {
    versioning_ =
        make_versioning(config.reconciliation == "last_write_wins" ? Reconciliation::last_write_wins
                                                                   : Reconciliation::siblings);
  }
  if (view_ && (at_work("replication") || at_work("quorum"))) make_store();
}

void Node::make_store() {
  const NodeConfig& config = setup_.config;
  if (!versioning_) versioning_ = make_last_write_wins();
  Env& env = *this;
  const StoreLimits limits{config.q, config.max_siblings, config.max_state_bytes};
  store_ = std::make_unique<VersionedStore>(env, *versioning_, limits, kStateSpace);
  const ReplicationConfig replication{config.call_timeout, config.retry_period,
                                      config.request_memory, config.batch_bytes, config.q};
  transfer_ =
      at_work("transfer") ? make_transfer(*this, replication, *view_, *store_) : make_no_transfer();
  if (at_work("quorum")) {
    hints_ = std::make_unique<VersionedStore>(env, *versioning_, limits, kHintSpace);
    make_quorums();
  } else {
    lazy_ = make_coordinator(*this, replication, *view_, *store_, *transfer_);
  }
  if (at_work("sync")) {
    sync_env_ = std::make_unique<SyncEnv>(
        env,
        [this](const NodeId& to, std::string_view type, std::string request, Duration timeout,
               RawDone done) { call_raw(to, type, std::move(request), timeout, std::move(done)); });
    sync_ = make_sync(*sync_env_,
                      {config.call_timeout, config.sync_period, config.sync_bytes_per_second,
                       config.batch_bytes, config.q},
                      *view_, *store_);
    store_->observe(sync_.get());
  }
}

void Node::make_quorums() {
  const NodeConfig& config = setup_.config;
  const QuorumMode mode = config.mode == "strict" ? QuorumMode::strict : QuorumMode::sloppy;
  // Answers before the client's deadline, so that needed and got can be told.
  const Duration deadline =
      config.request_deadline - std::min(config.call_timeout, config.request_deadline / 4);
  quorum_ = make_quorum(
      *this,
      {mode, config.n, config.call_timeout, deadline, config.retry_period, config.batch_bytes},
      *view_, *store_, *hints_, *transfer_);
  Env& env = *this;
  forwarding_ = std::make_unique<Forwarding>(
      env,
      ForwardingConfig{mode, config.n, config.r, config.w, config.call_timeout, deadline,
                       config.request_memory},
      *view_, *store_, *hints_, *quorum_);
}

Coordinator* Node::coordinator() {
  if (forwarding_) return forwarding_.get();
  return lazy_.get();
}

void Node::history_grew(const History& before) {
  if (transfer_) transfer_->history_grew(before);
  if (lazy_) lazy_->history_grew(before);
  if (quorum_) quorum_->history_grew(before);
  if (sync_) sync_->history_grew(before);
}

Node::~Node() = default;

void Node::begin(const Moment& moment) {
  moment_ = moment;
  random_ = Random(moment.seed);
  storage_.enter();
}

void Node::end() {
  if (view_) view_->follow(true);
  storage_.leave();
}

void Node::start(const Moment& moment, bool bootstrap) {
  handler(moment, [&] {
    if (membership_) membership_->start(bootstrap);
    // What the disk held is no news: the modules read it themselves.
    if (view_) view_->follow(false);
    if (sync_) sync_->start();  // before anything changes a key
    if (transfer_) transfer_->start(bootstrap);
    if (lazy_) lazy_->start();
    if (quorum_) quorum_->start();
    if (forwarding_) forwarding_->start();
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

template <class Request, class F>
bool Node::with_module_for(F&& f) const {
  const auto run = [&](auto* module) {
    if (module == nullptr) return false;
    f(*module);
    return true;
  };
  if constexpr (Takes<Membership, Request>) return run(membership_.get());
  if constexpr (Takes<Warmup, Request>) return run(warmup_.get());
  if constexpr (Takes<Transfer, Request>) return run(transfer_.get());
  if constexpr (Takes<Sync, Request>) return run(sync_.get());
  if constexpr (Takes<Forwarding, Request>) {
    if (forwarding_) return run(forwarding_.get());
  }
  if constexpr (Takes<QuorumCoordinator, Request>) {
    if (quorum_) return run(quorum_.get());
  }
  if constexpr (Takes<LazyCoordinator, Request>) return run(lazy_.get());
  return false;
}

template <class Request>
bool Node::dispatch(RequestToken token, std::string_view bytes) {
  std::optional<Request> request = from_bytes<Request>(bytes);
  if (!request) return false;
  return with_module_for<Request>([&](auto& module) { answer(module, *request, token); });
}

template <class Module, class Request>
void Node::answer(Module& module, const Request& request, RequestToken token) {
  auto answered = std::make_shared<bool>(false);
  const Responder<typename Request::Reply> responder([this, token, answered](std::string reply) {
    if (std::exchange(*answered, true)) {
      throw std::logic_error("a " + std::string(Request::type_name) + " was answered twice");
    }
    effects_.reply(token, std::move(reply));
  });
  if constexpr (Takes<Coordinator, Request>) {
    serve(request, responder);
  } else {
    module.handle(request, responder);
  }
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
  if constexpr (std::is_same_v<Module, LocalStore>) return node.store();
  if constexpr (std::is_same_v<Module, Sync>) return node.sync();
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
