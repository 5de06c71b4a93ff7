// Nodes in a process of their own: the trusted end of the mailbox.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sim/death.h"
#include "sim/host_process.h"
#include "sim/launcher.h"
#include "sim/queueing_host.h"

namespace dynamo::sim {

namespace {

using Clock = std::chrono::steady_clock;

/// How long a sleep on the mailbox lasts before we look whether the host still lives: a futex does
/// not wake when its peer dies. The first one is long: a short one makes the kernel set the clock's
/// next interrupt at each crossing, which took a third of the time (a host that reports its own
/// death rings).
constexpr std::chrono::milliseconds kFirstSlice(20);
constexpr std::chrono::milliseconds kSlice(1);
/// What a host may take to report where it loops, after we have asked.
constexpr std::chrono::milliseconds kReportTime(2000);
/// CPU time of one handler, once the same solution has looped in this host: its loop will be met
/// again in most checks that follow. Still a hundred times what any handler needs.
constexpr Duration kLimitAfterALoop = std::chrono::seconds(1);
/// How many crossings pass between two looks at how much was printed.
constexpr std::uint32_t kTrimEvery = 1024;

/// The longest time for one crossing, however many handlers it has.
constexpr std::chrono::minutes kLongestCrossing(15);

/// How much one handler of a crossing has used. Begins with the first slice, so that a quick
/// crossing costs nothing, and anew whenever the host says that it has got further: it can say so
/// only as many times as there are commands, and no longer than kLongestCrossing.
struct Spent {
  std::optional<Clock::time_point> began;
  Clock::time_point since;
  std::optional<std::chrono::nanoseconds> cpu_before;
  std::uint32_t at_work = 0;
};

class ProcessHost final : public QueueingHost {
 public:
  explicit ProcessHost(const ProcessOptions& options) : options_(options) {}

 private:
  void cross(std::string_view batch, AnswerReader& answers) override {
    if (!process_) {
      process_ = std::make_unique<HostProcess>(options_);
      crossings_ = 0;
    }
    std::memcpy(process_->mailbox().batch(), batch.data(), batch.size());
    std::size_t bytes = batch.size();
    while (true) {
      ask(bytes);
      await(batch);
      bytes = 0;  // from now on: the rest of the answer
      try {
        take_answer();
        if (answers.feed(answer_)) break;
      } catch (const BrokenProtocol& e) {
        die(batch, Death::Cause::broke_protocol, Duration::zero(), e.what());
      }
    }
    if (crossings_ % kTrimEvery == 0) process_->trim_words();
  }

  void ask(std::size_t bytes) {
    host::Board& board = process_->mailbox().board();
    board.batch_bytes.store(bytes, std::memory_order_relaxed);
    board.asked.store(++crossings_, std::memory_order_release);
    process_->bell().ring(board.asked);
  }

  /// Until the host has answered. Throws if it dies, or must be ended.
  void await(std::string_view batch) {
    host::Board& board = process_->mailbox().board();
    Spent spent;
    while (true) {
      const std::uint32_t answered = board.answered.load(std::memory_order_acquire);
      if (answered == crossings_) return;
      process_->bell().wait(board.answered, answered, spent.began ? kSlice : kFirstSlice);
      if (board.answered.load(std::memory_order_acquire) != crossings_) check_life(batch, spent);
    }
  }

  void check_life(std::string_view batch, Spent& spent) {
    if (process_->ended()) die(batch, Death::Cause::ended, Duration::zero(), "");
    const std::optional<std::chrono::nanoseconds> cpu = process_->cpu_time();
    const Clock::time_point now = Clock::now();
    const std::uint32_t at_work = process_->mailbox().board().at_work.load();
    if (!spent.began || at_work > spent.at_work) {
      if (!spent.began) spent.began = now;
      spent.since = now;
      spent.cpu_before = cpu;
      spent.at_work = at_work;
    }
    const Duration waited = std::chrono::duration_cast<Duration>(now - spent.since);
    if (cpu && spent.cpu_before && *cpu - *spent.cpu_before > cpu_limit_) {
      const Duration limit = std::exchange(cpu_limit_, std::min(cpu_limit_, kLimitAfterALoop));
      die(batch, Death::Cause::endless_loop, limit, "");
    }
    const bool too_long = now - *spent.began > kLongestCrossing;
    if (waited > options_.wall_limit || too_long)
      die(batch, Death::Cause::asleep, options_.wall_limit, "");
  }

  /// Copies the answer out of the shared memory, where it could change under our eyes.
  void take_answer() {
    const std::uint64_t bytes =
        process_->mailbox().board().answer_bytes.load(std::memory_order_relaxed);
    if (bytes > host::kMaxCrossingBytes) throw BrokenProtocol("an answer larger than the mailbox");
    answer_.assign(process_->mailbox().answer(), bytes);
  }

  [[noreturn]] void die(std::string_view batch, Death::Cause cause, Duration limit,
                        const std::string& detail) {
    // Whatever happens now, this process is not used again.
    const std::unique_ptr<HostProcess> process = std::move(process_);
    if (cause == Death::Cause::endless_loop || cause == Death::Cause::asleep) {
      ask_for_report(*process);
    }
    if (cause != Death::Cause::ended) process->send_signal(SIGKILL);
    host::Board& board = process->mailbox().board();
    if (const int error = board.exec_error.load(); error != 0 && board.serving.load() == 0) {
      throw GraderTrouble("cannot run " + options_.node_binary + ": " + std::strerror(error));
    }
    Death death;
    death.cause = cause;
    death.status = process->ended().value_or(0);
    death.limit = limit;
    death.detail = detail;
    if (options_.apart && WIFSIGNALED(death.status) && WTERMSIG(death.status) == SIGXCPU &&
        cause == Death::Cause::ended) {
      death.cause = Death::Cause::endless_loop;  // seen by the giver of turns
      death.limit = options_.cpu_limit;
    }
    death.was_serving = board.serving.load() != 0;
    std::memcpy(&death.crash, &board.crash, sizeof(death.crash));
    death.words = process->words();
    death.program = options_.node_binary;
    death.tool = launcher().tool;
    std::vector<Slot> slots = slots_of(batch);
    if (const std::optional<AtWork> at = command_at(batch, board.at_work.load())) {
      death.at_work = name_of(at->slot) + " was " + at->what;
      // The likeliest one first.
      const auto found = std::find(slots.begin(), slots.end(), at->slot);
      if (found != slots.end()) std::rotate(slots.begin(), found, found + 1);
    }
    throw SolutionDied(tell(death), std::move(slots));
  }

  /// Lets a host that does not answer say where it is: its handler of SIGXCPU fills in the report.
  static void ask_for_report(HostProcess& process) {
    process.send_signal(SIGXCPU);
    const Clock::time_point deadline = Clock::now() + kReportTime;
    while (!process.ended() && Clock::now() < deadline) usleep(500);
  }

  const ProcessOptions options_;
  Duration cpu_limit_ = options_.cpu_limit;
  std::unique_ptr<HostProcess> process_;  ///< Null until it is needed, and after a death.
  std::uint32_t crossings_ = 0;           ///< Of this process.
  std::string answer_;
};

}  // namespace

std::unique_ptr<Host> start_process_host(const ProcessOptions& options) {
  if (access(options.node_binary.c_str(), X_OK) != 0) {
    throw GraderTrouble("cannot run " + options.node_binary + ": " + std::strerror(errno));
  }
  return std::make_unique<ProcessHost>(options);
}

}  // namespace dynamo::sim
