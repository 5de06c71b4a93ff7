#include "host/server.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/protocol_writer.h"

namespace dynamo::host {

namespace {

/// Writes what a handler does into the answer, and keeps the solution to the bounds.
class Recorder final : public Effects, public MemoryStore::Watcher {
 public:
  explicit Recorder(std::string& answer) : bytes_(answer), out_(answer) {}

  void begin() {
    began_at_ = bytes_.size();
    items_ = 0;
    in_handler_ = true;
  }
  void end(bool taken) {
    in_handler_ = false;
    out_.handled(taken);
  }

  void call(CallId id, const NodeId& to, MessageType type, std::string bytes,
            Duration timeout) override {
    if (to.empty() || to.size() > kMaxNodeIdBytes) {
      throw std::length_error("call: a node's name of " + std::to_string(to.size()) +
                              " bytes; it must have 1 to " + std::to_string(kMaxNodeIdBytes));
    }
    check("message", bytes.size());
    out_.call(id, to, type, bytes, timeout);
  }
  void reply(RequestToken token, std::string bytes) override {
    check("reply", bytes.size());
    out_.reply(token, bytes);
  }
  void set_timer(TimerId id, Duration delay) override {
    check("timer", 0);
    out_.set_timer(id, delay);
  }
  void cancel_timer(TimerId id) override {
    check("timer", 0);
    out_.cancel_timer(id);
  }
  void note(std::string_view text) override {
    text = text.substr(0, kMaxNoteBytes);
    check("note", text.size());
    out_.note(text);
  }
  void wrote(std::string_view space, std::string_view key, std::string_view value) override {
    check("value", value.size());
    out_.put(space, key, value);
  }
  void erased(std::string_view space, std::string_view key) override {
    check("key", 0);
    out_.erase(space, key);
  }
  void result(std::string_view bytes) {
    check("result", bytes.size());
    out_.result(bytes);
  }

 private:
  void check(std::string_view what, std::size_t payload) {
    if (!in_handler_) {
      throw std::logic_error("Env was used in a constructor or destructor of a module (a " +
                             std::string(what) + "); wait for start()");
    }
    if (payload > kMaxPayloadBytes) {
      throw std::length_error("a " + std::string(what) + " of " + std::to_string(payload) +
                              " bytes; at most " + std::to_string(kMaxPayloadBytes) +
                              " are allowed");
    }
    if (++items_ > kMaxHandlerItems) {
      throw std::length_error("one handler made more than " + std::to_string(kMaxHandlerItems) +
                              " messages, timers, notes and writes");
    }
    if (bytes_.size() - began_at_ + payload > kMaxHandlerBytes) {
      throw std::length_error("one handler sent and wrote more than " +
                              std::to_string(kMaxHandlerBytes) + " bytes");
    }
  }

  std::string& bytes_;
  ItemWriter out_;
  std::size_t began_at_ = 0;  ///< Where in the answer the handler that runs now began.
  std::size_t items_ = 0;     ///< That it has made so far.
  bool in_handler_ = false;
};

[[noreturn]] void malformed() { throw std::runtime_error("host: the batch is malformed"); }

template <class T>
T take(codec::Reader& in) {
  T value{};
  codec::read(in, value);
  if (!in.ok()) malformed();
  return value;
}

std::string_view take_bytes(codec::Reader& in) {
  const std::string_view bytes = in.bytes();
  if (!in.ok()) malformed();
  return bytes;
}

Moment take_moment(codec::Reader& in) {
  Moment moment;
  codec::read(in, moment.now);
  codec::read(in, moment.wall);
  moment.seed = in.fixed64();
  if (!in.ok()) malformed();
  return moment;
}

}  // namespace

CommandHead head_of(codec::Reader batch) {
  const std::size_t before = batch.left();
  CommandHead head;
  head.command = take<Command>(batch);
  head.slot = take<std::uint32_t>(batch);
  head.bytes = before - batch.left();
  return head;
}

/// A node with its disk. The order of the members is the order in which they need one another.
struct HostServer::Resident {
  Recorder recorder;
  MemoryStore store;
  std::unique_ptr<Node> node;

  Resident(std::string& answer, std::uint64_t room) : recorder(answer), store(room, &recorder) {}
};

HostServer::HostServer(ServerHooks hooks) : hooks_(std::move(hooks)) {}
HostServer::~HostServer() = default;

void HostServer::begin(std::string_view batch, std::uint32_t index) {
  batch_ = codec::Reader(batch);
  index_ = index;
  allocations_ = 0;
}

bool HostServer::run(std::string& answer) {
  std::swap(answer_, answer);  // residents write to answer_; the caller gets the buffer back below
  answer_.clear();
  ItemWriter out(answer_);
  while (batch_.left() > 0 && answer_.size() < kFullAnswerBytes) run_one();
  const bool finished = batch_.left() == 0;
  finished ? out.finished(allocations_) : out.full();
  std::swap(answer_, answer);
  return finished;
}

void HostServer::run_one() {
  if (hooks_.at_work != nullptr) hooks_.at_work->store(index_, std::memory_order_relaxed);
  const auto command = take<Command>(batch_);
  run_command(command, take<std::uint32_t>(batch_));
  ++index_;
}

std::uint32_t HostServer::run_own(std::uint32_t slot, std::string& answer, std::size_t full) {
  std::swap(answer_, answer);
  answer_.clear();
  const std::uint32_t first = index_;
  while (batch_.left() > 0 && answer_.size() < full) {
    const CommandHead next = head_of(batch_);
    const bool own = next.slot == slot && next.command != Command::image &&
                     next.command != Command::destroy &&
                     (next.command != Command::make || index_ == first);
    if (!own) break;
    run_one();
  }
  std::swap(answer_, answer);
  return index_ - first;
}

void HostServer::run_command(Command command, std::uint32_t slot) {
  if (command == Command::image) return take_image();
  if (command == Command::make) return make(slot);
  const auto found = residents_.find(slot);
  if (found == residents_.end()) malformed();
  if (command == Command::destroy) {
    residents_.erase(found);
  } else if (command == Command::set_room) {
    found->second->store.set_room(take<std::uint64_t>(batch_));
  } else {
    const std::uint64_t before = hooks_.allocations ? hooks_.allocations() : 0;
    run_handler(command, *found->second);
    if (hooks_.allocations) allocations_ += hooks_.allocations() - before;
  }
}

void HostServer::take_image() {
  image_.clear();
  for (auto left = take<std::uint64_t>(batch_); left > 0; --left) {
    auto space = take<std::string>(batch_);
    auto key = take<std::string>(batch_);
    image_[std::move(space)].insert_or_assign(std::move(key), take<std::string>(batch_));
  }
}

void HostServer::make(std::uint32_t slot) {
  auto setup = take<NodeSetup>(batch_);
  const auto room = take<std::uint64_t>(batch_);
  auto resident = std::make_unique<Resident>(answer_, room);
  if (take<bool>(batch_)) {
    resident->store.load(one_node_ ? std::exchange(image_, {}) : image_);
  }
  const auto entries = take<std::uint64_t>(batch_);
  for (std::uint64_t i = 0; i < entries; ++i) {
    auto space = take<std::string>(batch_);
    auto key = take<std::string>(batch_);
    resident->store.load(std::move(space), std::move(key), take<std::string>(batch_));
  }
  residents_.erase(slot);  // the old node dies before the new one is born, as processes do
  resident->node = std::make_unique<Node>(std::move(setup), resident->store, resident->recorder);
  residents_.emplace(slot, std::move(resident));
}

void HostServer::run_handler(Command command, Resident& resident) {
  const Moment moment = take_moment(batch_);
  Node& node = *resident.node;
  resident.recorder.begin();
  if (hooks_.before_handler) hooks_.before_handler();
  bool taken = true;
  switch (command) {
    case Command::start:
      node.start(moment, take<bool>(batch_));
      break;
    case Command::request: {
      const auto token = take<RequestToken>(batch_);
      const auto from = take<NodeId>(batch_);
      const auto type = take<MessageType>(batch_);
      taken = node.request(moment, token, from, type, take_bytes(batch_));
      break;
    }
    case Command::call_ended: {
      const auto id = take<CallId>(batch_);
      node.call_ended(moment, id, take<Result<std::string>>(batch_));
      break;
    }
    case Command::timer_fired:
      node.timer_fired(moment, take<TimerId>(batch_));
      break;
    case Command::invoke: {
      const auto method = take<MethodId>(batch_);
      const std::optional<std::string> result = node.invoke(moment, method, take_bytes(batch_));
      if (result) resident.recorder.result(*result);
      break;
    }
    default:
      malformed();
  }
  resident.recorder.end(taken);
}

}  // namespace dynamo::host
