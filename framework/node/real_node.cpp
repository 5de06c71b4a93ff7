#include "node/real_node.h"

#include <array>
#include <cstdio>
#include <iostream>
#include <random>
#include <utility>

#include "node/admin_api.h"

namespace dynamo {

namespace {

/// The only draw from outside: everything else follows from it.
std::uint64_t seed_of_this_process() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}

Peers bound_to(Peers peers, const NodeId& self, const std::string& bind) {
  if (!bind.empty()) {
    peers.at(self).peer.host = bind;
    peers.at(self).http.host = bind;
  }
  return peers;
}

/// Requests that no module has answered yet; at the bound the oldest is given up.
constexpr std::size_t kMaxOpenRequests = 65536;

}  // namespace

RealNode::RealNode(boost::asio::io_context& io, RealNodeOptions options)
    : io_(io),
      options_(std::move(options)),
      seal_(options_.config.cluster_secret),
      random_(seed_of_this_process()),
      // 48 bits, so that any JSON reader keeps them.
      store_(store_options(), random_.next() >> 16),
      // `new`, since only this class may see its own private base.
      recorder_(options_.record.empty() ? nullptr
                                        : new host::FlightRecorder(options_.record, store_, *this)),
      transport_(
          io,
          {options_.id, bound_to(options_.peers, options_.id, options_.bind),
           options_.config.peer_queue_bytes, options_.config.cluster_secret,
           net::TransportOptions{}.max_inbound, options_.sockets.peers, options_.sockets.dialer},
          metrics_),
      http_(io,
            {bound_to(options_.peers, options_.id, options_.bind).at(options_.id).http,
             std::chrono::duration_cast<std::chrono::milliseconds>(options_.config.http_timeout),
             options_.config.max_value_bytes, net::HttpOptions{}.max_connections,
             options_.sockets.http},
            metrics_),
      node_({options_.id, store_.incarnation(), options_.config},
            recorder_ ? static_cast<Storage&>(*recorder_) : store_,
            recorder_ ? static_cast<Effects&>(*recorder_) : *this) {}

RealNode::~RealNode() { stop(); }

LmdbOptions RealNode::store_options() {
  LmdbOptions made{options_.data, options_.config.disk_limit_bytes, true};
  made.news = [this] { boost::asio::post(io_, [this] { release(); }); };
  made.sync_for_test = options_.sync_for_test;
  return made;
}

void RealNode::start() {
  transport_.start(
      [this](const NodeId& from, CallId call, MessageType type, std::string bytes,
             net::Answer answer) {
        take_request(from, call, type, std::move(bytes), std::move(answer));
      },
      [this](CallId id, std::string bytes) { end_call(id, std::move(bytes)); },
      [this](CallId id, std::string why) {
        end_call(id, Error{ErrorCode::refused, std::move(why)});
      });
  if (recorder_) {
    store_.begin();
    recorder_->born(born_, node_.setup(),
                    [this](const host::FlightRecorder::Entry& visit) { store_.scan_all(visit); });
    store_.commit();
  }
  enqueue([this] {
    const Moment now = moment();
    handle([&](host::CommandWriter& out) { out.start(0, now, options_.bootstrap); },
           [&] { return node_.start(now, options_.bootstrap), true; });
    if (options_.bootstrap) warn_of_bootstrap();
  });
  http_.start(
      [this](const net::HttpRequest& request, net::HttpServer::Respond respond) {
        serve_http(*this, request, std::move(respond));
      },
      route_of);
}

void RealNode::warn_of_bootstrap() {
  if (store_.was_empty() || !node_.membership() || node_.membership()->history().empty()) return;
  std::cerr << options_.id << ": --bootstrap is ignored: the disk in " << options_.data.string()
            << " holds a history already\n";
}

void RealNode::stop() {
  if (std::exchange(stopped_, true)) return;
  http_.stop();
  transport_.stop();
  calls_.clear();
  timers_.clear();
  requests_.clear();
  held_back_.clear();  // they never left, as if the node had been killed
}

Moment RealNode::moment() {
  using std::chrono::duration_cast;
  return {
      Instant(duration_cast<Duration>(std::chrono::steady_clock::now() - born_)),
      Instant(duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch() + skew_)),
      random_.next()};
}

void RealNode::enqueue(std::function<void()> handler) {
  if (stopped_) return;
  inbox_.push_back(std::move(handler));
  if (std::exchange(turn_posted_, true)) return;
  boost::asio::post(io_, [this] { turn(); });
}

void RealNode::turn() {
  turn_posted_ = false;
  if (stopped_) return;
  // What these handlers cause comes in the next turn.
  std::vector<std::function<void()>> handlers = std::exchange(inbox_, {});
  store_.begin();
  const std::uint64_t seen = store_.sealed();
  std::size_t early = 0;  // outputs of handlers that ran before the turn's first write
  for (auto& handler : handlers) {
    handler();
    if (!store_.wrote()) early = outbox_.size();
  }
  handlers_ += handlers.size();
  const Commit commit = store_.seal();
  std::vector<std::function<void()>> outputs = std::exchange(outbox_, {});
  if (commit.writes != 0 && early != 0) {
    const auto first = outputs.begin() + static_cast<std::ptrdiff_t>(early);
    hold_back({0, 0, seen}, {std::move_iterator(outputs.begin()), std::move_iterator(first)});
    outputs.erase(outputs.begin(), first);
  }
  hold_back(commit, std::move(outputs));
  release();
}

void RealNode::hold_back(const Commit& commit, std::vector<std::function<void()>> outputs) {
  held_back_.push_back({commit, std::chrono::steady_clock::now(), std::move(outputs)});
}

/// Lets out what need not wait any more.
void RealNode::release() {
  if (stopped_) return;
  const std::uint64_t durable = store_.durable();
  while (!held_back_.empty() && held_back_.front().commit.number <= durable) {
    HeldBack turn = std::move(held_back_.front());
    held_back_.pop_front();
    count(turn.commit, turn.ended);
    for (auto& output : turn.outputs) output();
  }
}

void RealNode::count(const Commit& commit, std::chrono::steady_clock::time_point ended) {
  if (commit.writes == 0) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - ended;
  metrics_.count("dynamo_commits_total");
  metrics_.count("dynamo_commit_writes_total", {}, commit.writes);
  metrics_.count("dynamo_commit_bytes_total", {}, commit.bytes);
  metrics_.observe_seconds("dynamo_commit_seconds", took.count());
}

/// `run` is a handler of the node, and says whether it was taken; `tell` notes down which.
template <class Tell, class Run>
void RealNode::handle(Tell&& tell, Run&& run) {
  if (!recorder_) return static_cast<void>(run());
  recorder_->begin(tell);
  recorder_->end(run());
}

void RealNode::invoke(MethodId method, std::string args,
                      std::function<void(const std::optional<std::string>&)> answer) {
  enqueue([this, method, args = std::move(args), answer = std::move(answer)] {
    const Moment now = moment();
    std::optional<std::string> result;
    handle([&](host::CommandWriter& out) { out.invoke(0, now, method, args); },
           [&] {
             result = node_.invoke(now, method, args);
             if (recorder_ && result) recorder_->result(*result);
             return result.has_value();
           });
    outbox_.emplace_back([answer, result = std::move(result)] { answer(result); });
  });
}

void RealNode::run_handler(std::function<void(Node&)> work, std::function<void()> answer) {
  enqueue([this, work = std::move(work), answer = std::move(answer)] {
    node_.handler(moment(), [&] { work(node_); });
    outbox_.push_back(answer);
  });
}

void RealNode::take_request(const NodeId& from, CallId call, MessageType type, std::string bytes,
                            net::Answer answer) {
  const RequestToken token = ++last_token_;
  requests_.emplace(token, std::move(answer));
  if (requests_.size() > kMaxOpenRequests) requests_.erase(requests_.begin());
  enqueue([this, token, from, call, type, bytes = std::move(bytes)] {
    const Moment now = moment();
    bool taken = false;
    if (recorder_) recorder_->next_is_call(call);
    handle([&](host::CommandWriter& out) { out.request(0, now, token, from, type, bytes); },
           [&] { return taken = node_.request(now, token, from, type, bytes); });
    if (taken) return;
    requests_.erase(token);
    metrics_.count("dynamo_frames_dropped_total", {{"reason", "no module takes it"}});
  });
}

void RealNode::ask(MessageType type, std::string bytes, net::Answer answer) {
  take_request(NodeId{}, 0, type, std::move(bytes), std::move(answer));
}

std::string RealNode::new_request_id() {
  std::array<char, 33> number{};
  std::snprintf(number.data(), number.size(), "%016llx%016llx",
                static_cast<unsigned long long>(random_.next()),
                static_cast<unsigned long long>(random_.next()));
  return options_.id + "-" + number.data();
}

void RealNode::end_call(CallId id, Result<std::string> outcome) {
  if (calls_.erase(id) == 0) return;
  enqueue([this, id, outcome = std::move(outcome)]() mutable {
    const Moment now = moment();
    handle([&](host::CommandWriter& out) { out.call_ended(0, now, id, outcome); },
           [&] { return node_.call_ended(now, id, std::move(outcome)), true; });
  });
}

void RealNode::call(CallId id, const NodeId& to, MessageType type, std::string bytes,
                    Duration timeout) {
  outbox_.emplace_back([this, id, to, type, bytes = std::move(bytes), timeout]() mutable {
    send_call(id, to, type, std::move(bytes), timeout);
  });
}

void RealNode::send_call(CallId id, const NodeId& to, MessageType type, std::string bytes,
                         Duration timeout) {
  const auto entry = calls_.emplace(id, boost::asio::steady_timer(io_, timeout)).first;
  entry->second.async_wait([this, id, to](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    transport_.forget(to, id);
    end_call(id, Error{ErrorCode::timed_out, to + " did not answer in time"});
  });
  if (to == options_.id) {  // a message to oneself needs no socket
    return take_request(to, id, type, std::move(bytes),
                        [this, id](std::string reply) { end_call(id, std::move(reply)); });
  }
  transport_.send(to, id, type, std::move(bytes));
}

void RealNode::reply(RequestToken token, std::string bytes) {
  outbox_.emplace_back([this, token, bytes = std::move(bytes)]() mutable {
    const auto found = requests_.find(token);
    if (found == requests_.end()) return;
    const net::Answer answer = std::move(found->second);
    requests_.erase(found);
    answer(std::move(bytes));
  });
}

void RealNode::set_timer(TimerId id, Duration delay) {
  outbox_.emplace_back([this, id, delay] { arm_timer(id, delay); });
}

void RealNode::arm_timer(TimerId id, Duration delay) {
  boost::asio::steady_timer& timer = timers_.try_emplace(id, io_).first->second;
  timer.expires_after(delay);
  timer.async_wait([this, id](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    timers_.erase(id);
    enqueue([this, id] {
      const Moment now = moment();
      handle([&](host::CommandWriter& out) { out.timer_fired(0, now, id); },
             [&] { return node_.timer_fired(now, id), true; });
    });
  });
}

void RealNode::cancel_timer(TimerId id) {
  outbox_.emplace_back([this, id] { timers_.erase(id); });
}

void RealNode::note(std::string_view text) {
  std::cerr << options_.id << " notes: " << text << '\n';
}

}  // namespace dynamo
