#include "host/apart.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "host/platform.h"
#include "host/protocol_writer.h"

namespace dynamo::host {

namespace {

constexpr std::uint32_t kMostSlots = 1 << 15;  // as many as a system has processes by default
constexpr int kNoProcess = 71;
constexpr std::chrono::milliseconds kSlice(20);
/// A sleeping node is ended with its parent; this is the second net.
constexpr std::chrono::milliseconds kLookForParent(60'000);
constexpr std::chrono::seconds kReportTime(2);

/// The node's process that is at work, for the handler below.
volatile pid_t at_work = 0;
struct sigaction report_here {};  // what SIGXCPU does in a node's process

/// "Say where you are": whoever is at work knows, and ends with it.
void ask_node(int /*number*/) {
  if (at_work > 0) kill(at_work, SIGXCPU);
}

/// Ends this process as the node's was.
[[noreturn]] void end_like(int status) {
  if (!WIFSIGNALED(status)) std::_Exit(WEXITSTATUS(status));
  std::signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  std::_Exit(kNoProcess);
}

}  // namespace

/// Shared memory. Whoever is at work writes; the other one has slept since before.
struct NodeProcesses::Turn {
  std::atomic<std::uint32_t> done;  ///< Turns that have ended; the giver sleeps on it.
  std::uint32_t index;              ///< Of the next command in the batch.
  std::uint64_t batch_bytes;
  std::uint64_t batch_at;  ///< Where the next command begins.
  std::uint64_t answer_at;
  std::uint64_t allocations;
  std::array<pid_t, kMostSlots> processes;                   ///< 0: none.
  std::array<std::atomic<std::uint32_t>, kMostSlots> begun;  ///< Turns; a node sleeps on its own.
};

NodeProcesses::NodeProcesses(Mailbox& mailbox, int pool_fd, std::chrono::milliseconds cpu_limit,
                             ServerHooks hooks)
    : mailbox_(mailbox), server_(std::move(hooks)), pages_(pool_fd), cpu_limit_(cpu_limit) {
  void* memory =
      mmap(nullptr, sizeof(Turn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory to give turns in");
  turn_ = static_cast<Turn*>(memory);  // all zeros are what it begins with
  struct sigaction ask {};
  ask.sa_handler = ask_node;
  sigemptyset(&ask.sa_mask);
  sigaction(SIGXCPU, &ask, &report_here);
}

void NodeProcesses::begin(std::size_t bytes) {
  turn_->batch_bytes = bytes;
  turn_->batch_at = 0;
  turn_->index = 0;
  turn_->allocations = 0;
}

std::string_view NodeProcesses::rest() {
  return std::string_view(mailbox_.batch(), turn_->batch_bytes).substr(turn_->batch_at);
}

std::size_t NodeProcesses::run() noexcept {
  turn_->answer_at = 0;
  while (turn_->batch_at < turn_->batch_bytes && turn_->answer_at < kFullAnswerBytes) {
    mailbox_.board().at_work.store(turn_->index, std::memory_order_relaxed);
    const CommandHead next = head_of(codec::Reader(rest()));
    if (next.command == Command::image) {
      const std::size_t before = rest().size();
      server_.begin(rest(), turn_->index++);
      server_.run_one();
      turn_->batch_at += before - server_.left();
    } else if (next.command == Command::destroy) {
      destroy(next.slot);
      turn_->batch_at += next.bytes;
      ++turn_->index;
    } else if (next.command == Command::make) {
      make(next.slot);
    } else {
      give_turn(next.slot);
    }
  }
  std::string end;
  ItemWriter out(end);
  turn_->batch_at == turn_->batch_bytes ? out.finished(turn_->allocations) : out.full();
  std::memcpy(mailbox_.answer() + turn_->answer_at, end.data(), end.size());
  return turn_->answer_at + end.size();
}

void NodeProcesses::make(std::uint32_t slot) {
  if (slot >= kMostSlots) throw std::runtime_error("host: a slot too high");
  destroy(slot);  // the old node dies before the new one is born
  const std::uint32_t before = turn_->done.load(std::memory_order_relaxed);
  const pid_t parent = getpid();
  const pid_t process = fork();
  if (process < 0) {
    std::fprintf(stderr, "no process for one more node: %s\n", std::strerror(errno));
    std::_Exit(kNoProcess);
  }
  if (process == 0) {
    platform::die_with_parent();
    if (getppid() != parent) std::_Exit(0);
    sigaction(SIGXCPU, &report_here, nullptr);
    live(slot);
  }
  turn_->processes[slot] = process;
  await(slot, before);
}

void NodeProcesses::destroy(std::uint32_t slot) {
  if (slot >= kMostSlots) return;
  const pid_t process = std::exchange(turn_->processes[slot], 0);
  if (process == 0) return;
  kill(process, SIGKILL);
  while (waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void NodeProcesses::give_turn(std::uint32_t slot) {
  if (slot >= kMostSlots || turn_->processes[slot] == 0) {
    throw std::runtime_error("host: the batch is malformed");
  }
  const std::uint32_t before = turn_->done.load(std::memory_order_relaxed);
  turn_->begun[slot].fetch_add(1, std::memory_order_release);
  platform::wake(turn_->begun[slot]);
  await(slot, before);
}

/// Until the node's process has done its turn. If it ends, so does this one.
void NodeProcesses::await(std::uint32_t slot, std::uint32_t before) {
  using Clock = std::chrono::steady_clock;
  const pid_t process = turn_->processes[slot];
  at_work = process;
  std::optional<std::chrono::nanoseconds> used;
  std::optional<Clock::time_point> asked;
  std::uint32_t index = 0;
  while (true) {
    platform::sleep_on(turn_->done, before, kSlice);
    if (turn_->done.load(std::memory_order_acquire) != before) break;
    int status = 0;
    if (waitpid(process, &status, WNOHANG) == process) end_like(status);
    const std::uint32_t now_at = mailbox_.board().at_work.load(std::memory_order_relaxed);
    const auto now_used = platform::cpu_time(process);
    if (!used || now_at != index) used = now_used;
    index = now_at;
    if (asked && Clock::now() - *asked > kReportTime) kill(process, SIGKILL);
    if (!asked && now_used && *now_used - *used > cpu_limit_) {
      kill(process, SIGXCPU);
      asked = Clock::now();
    }
  }
  at_work = 0;
}

/// A node's process: its first turn begins with `make`.
void NodeProcesses::live(std::uint32_t slot) {
  server_.serve_one_node();
  const pid_t parent = getppid();
  std::string answer;
  while (true) {
    const std::uint32_t seen = turn_->begun[slot].load(std::memory_order_acquire);
    take_turn(slot, answer);
    pages_.share_if_grown();
    turn_->done.fetch_add(1, std::memory_order_release);
    platform::wake(turn_->done);
    while (turn_->begun[slot].load(std::memory_order_acquire) == seen) {
      platform::sleep_on(turn_->begun[slot], seen, kLookForParent);
      if (getppid() != parent) std::_Exit(0);
    }
  }
}

/// noexcept: the end of a solution's exception is here.
void NodeProcesses::take_turn(std::uint32_t slot, std::string& answer) noexcept {
  const std::size_t before = rest().size();
  server_.begin(rest(), turn_->index);
  turn_->index += server_.run_own(slot, answer, kFullAnswerBytes - turn_->answer_at);
  turn_->batch_at += before - server_.left();
  turn_->allocations += server_.allocations();
  // What one handler may make fits behind a full answer.
  static_assert(kFullAnswerBytes + kMaxHandlerBytes + kMaxPayloadBytes < kMaxCrossingBytes);
  std::memcpy(mailbox_.answer() + turn_->answer_at, answer.data(), answer.size());
  turn_->answer_at += answer.size();
  if (answer.capacity() > (64 << 10)) std::string().swap(answer);
}

}  // namespace dynamo::host
