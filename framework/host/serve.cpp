#include "host/serve.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>

#include "host/allocations.h"
#include "host/apart.h"
#include "host/crash.h"
#include "host/mailbox.h"
#include "host/platform.h"
#include "host/server.h"

namespace dynamo::host {

namespace {

/// How often an idle host looks for its parent. Where the system ends us with it, this is the
/// second net.
constexpr std::chrono::milliseconds kLookForParent(200);

struct Options {
  int mailbox = -1;
  int bell = -1;
  pid_t parent = 0;
  int pool = -1;  ///< Not -1: each node in a process of its own; for the pages that they share.
  std::chrono::milliseconds cpu_limit{3000};  ///< Where each node has a process of its own.
  std::optional<std::uint64_t> perturb;
};

int complain(const std::string& what) {
  std::fprintf(stderr, "dynamo-node --host: %s (it is started by the grader, not by hand)\n",
               what.c_str());
  return 2;
}

/// Null if all is well, else what is wrong.
std::string parse(const std::vector<std::string>& args, Options& options) {
  std::map<std::string, std::uint64_t> given;
  for (std::size_t i = 0; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return args[i] + " needs a number";
    const std::string& text = args[i + 1];
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      return args[i] + " needs a number, not \"" + text + "\"";
    }
    given[args[i]] = number;
  }
  for (const auto& [name, number] : given) {
    if (name == "--mailbox") {
      options.mailbox = static_cast<int>(number);
    } else if (name == "--bell") {
      options.bell = static_cast<int>(number);
    } else if (name == "--parent") {
      options.parent = static_cast<pid_t>(number);
    } else if (name == "--apart") {
      options.pool = static_cast<int>(number);
    } else if (name == "--cpu-limit-ms") {
      options.cpu_limit = std::chrono::milliseconds(number);
    } else if (name == "--perturb") {
      options.perturb = number;
    } else {
      return "unknown option " + name;
    }
  }
  if (options.mailbox < 0) return "--mailbox FD is missing";
  if (options.parent <= 0) return "--parent PID is missing";
  if (options.pool >= 0 && !platform::has_futex()) return "--apart needs futexes";
  if (options.bell < 0 && !platform::has_futex()) return "--bell FD is missing";
  return "";
}

/// A leak or an endless list must not take the machine down with it.
void limit_memory() {
  if (platform::has_sanitizer()) return;  // its shadow memory alone is larger
  constexpr rlim_t most = rlim_t{2} << 30;
  const rlimit limit{most, most};
  setrlimit(RLIMIT_DATA, &limit);
}

// For the crash handler alone: it has no other way to its process's mailbox.
Mailbox* own_mailbox = nullptr;
const Bell* own_bell = nullptr;

/// Lets the trusted side look at once, instead of at the end of its slice.
void announce_death() { own_bell->ring(own_mailbox->board().answered); }

/// Sleeps until there is something to do. False: the parent is gone.
bool next_crossing(Board& board, const Bell& bell, std::uint32_t& seen, pid_t parent) {
  while (true) {
    const std::uint32_t asked = board.asked.load(std::memory_order_acquire);
    if (asked != seen) {
      seen = asked;
      return true;
    }
    bell.wait(board.asked, asked, kLookForParent);
    if (board.asked.load(std::memory_order_relaxed) == seen && getppid() != parent) return false;
  }
}

/// Takes batches out of the mailbox and leaves answers there, as long as the parent lives.
template <class Run>
void answer_batches(Mailbox& mailbox, const Options& options, Run&& run) {
  Board& board = mailbox.board();
  const Bell bell(options.bell);
  std::uint32_t seen = 0;
  while (next_crossing(board, bell, seen, options.parent)) {
    const std::uint64_t bytes = board.batch_bytes.load(std::memory_order_relaxed);
    if (bytes > kMaxCrossingBytes) std::_Exit(complain("a batch larger than the mailbox"));
    board.answer_bytes.store(run(bytes), std::memory_order_relaxed);
    board.answered.store(seen, std::memory_order_release);
    bell.ring(board.answered);
  }
}

/// noexcept: whoever calls serve() may catch, but the end of a solution's exception is here.
void run_batch(HostServer& server, std::string& answer) noexcept { server.run(answer); }

void serve_together(Mailbox& mailbox, const Options& options, ServerHooks hooks) {
  HostServer server(std::move(hooks));
  mailbox.board().serving.store(1, std::memory_order_release);
  std::string answer;
  answer_batches(mailbox, options, [&](std::size_t bytes) {
    if (bytes > 0) server.begin({mailbox.batch(), bytes});
    run_batch(server, answer);
    std::memcpy(mailbox.answer(), answer.data(), answer.size());
    return answer.size();
  });
}

void serve_apart(Mailbox& mailbox, const Options& options, ServerHooks hooks) {
  NodeProcesses processes(mailbox, options.pool, options.cpu_limit, std::move(hooks));
  mailbox.board().serving.store(1, std::memory_order_release);
  answer_batches(mailbox, options, [&](std::size_t bytes) {
    if (bytes > 0) processes.begin(bytes);
    return processes.run();
  });
}

}  // namespace

int serve(const std::vector<std::string>& args) {
  Options options;
  const std::string wrong = parse(args, options);
  if (!wrong.empty()) return complain(wrong);
  platform::die_with_parent();

  // What a solution prints must survive its crash, so that it can be shown.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Mailbox mailbox(options.mailbox, false);
  Board& board = mailbox.board();
  if (board.version != kMailboxVersion) return complain("built from other sources than the grader");
  const Bell bell(options.bell);
  own_mailbox = &mailbox;
  own_bell = &bell;
  install_crash_reports(&board.crash, announce_death);
  limit_memory();

  ServerHooks hooks{&board.at_work, allocations, nullptr};
  if (options.perturb) {
    perturb_heap(*options.perturb);
    hooks.before_handler = spoil_stack;
  }
  if (options.pool >= 0) {
    serve_apart(mailbox, options, std::move(hooks));
  } else {
    serve_together(mailbox, options, std::move(hooks));
  }
  // The solution's destructors are not worth waiting for.
  std::_Exit(0);
}

}  // namespace dynamo::host
