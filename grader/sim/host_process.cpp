#include "sim/host_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "host/platform.h"
#include "host/shared_pages.h"
#include "sim/launcher.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not declared on macOS

namespace dynamo::sim {

namespace {

// What the child finds its descriptors at; our own lie above them (Descriptor::take).
constexpr int kMailboxFd = 3;
constexpr int kBellFd = 4;
constexpr int kPoolFd = 5;
constexpr int kFirstFree = 6;  // Launcher::kTellFd, where there is one
constexpr int kOutOfTheWay = 10;

// A solution that prints without end is cut off here.
constexpr rlim_t kMostWords = rlim_t{8} << 20;
constexpr off_t kTrimWordsAt = off_t{1} << 20;
constexpr std::size_t kWordsKept = std::size_t{64} * 1024;

[[noreturn]] void trouble(const std::string& what) {
  throw GraderTrouble(what + ": " + std::strerror(errno));
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (const std::string& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Ours, and what makes sanitizers say where; a value that the user has set stays.
std::vector<std::string> host_environment() {
  std::vector<std::string> all;
  for (char** one = environ; *one != nullptr; ++one) all.emplace_back(*one);
  const auto add = [&](const std::string& name, const std::string& value) {
    if (std::getenv(name.c_str()) == nullptr) all.push_back(name + "=" + value);
  };
  add("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=0");
  add("UBSAN_OPTIONS", "print_stacktrace=1");
  return all;
}

/// What a launcher said before its program began.
struct Launched {
  pid_t host = -1;
  std::string trouble;
};

/// Reads until its end is closed: by the beginning of the program, or by the launcher's own end.
Launched launched_on(int socket) {
  constexpr int kLimitMs = 60'000;  // milliseconds on an idle machine
  Launched launched;
#ifdef __linux__
  while (true) {
    std::array<char, 512> text{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
    iovec piece{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    pollfd ready{socket, POLLIN, 0};
    if (poll(&ready, 1, kLimitMs) <= 0) throw GraderTrouble("the sandbox does not start");
    const ssize_t got = recvmsg(socket, &message, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return launched;
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_CREDENTIALS) continue;
    ucred who{};
    std::memcpy(&who, CMSG_DATA(header), sizeof(who));
    const std::string said(text.data(), static_cast<std::size_t>(got));
    if (said != "!") launched.trouble = said;
    launched.host = who.pid;
  }
#else
  (void)socket;
  return launched;
#endif
}

/// Of a process that stands before the host, and ends as it did: 128 and its signal, as shells have
/// it.
int unwrapped(int status) {
  constexpr int kBySignal = 128;
  if (!WIFEXITED(status) || WEXITSTATUS(status) <= kBySignal) return status;
  return WEXITSTATUS(status) - kBySignal;
}

}  // namespace

HostProcess::Descriptor::~Descriptor() { close(); }

void HostProcess::Descriptor::take(int fd, const char* what) {
  if (fd < 0) trouble(std::string("cannot make ") + what);
  fd_ = fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay);
  const int error = errno;
  ::close(fd);
  errno = error;
  if (fd_ < 0) trouble(std::string("cannot make ") + what);
}

void HostProcess::Descriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

HostProcess::HostProcess(const ProcessOptions& options) {
  memory_.take(host::platform::make_shared_memory(host::kMailboxBytes), "shared memory for a host");
  words_.take(host::platform::make_scratch_file(), "a file for a host's output");
  null_.take(open("/dev/null", O_RDONLY | O_CLOEXEC), "an empty input");
  try {
    mailbox_ = std::make_unique<host::Mailbox>(memory_.get(), true);
  } catch (const std::runtime_error& e) {
    throw GraderTrouble(e.what());
  }
  if (options.portable || !host::platform::has_futex()) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) trouble("cannot make a pair of sockets");
    bell_here_.take(ends[0], "a socket");
    bell_there_.take(ends[1], "a socket");
#ifdef SO_NOSIGPIPE
    const int on = 1;
    setsockopt(bell_here_.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
  }
  bell_.emplace(bell_here_.get());
  spawn(options);
  bell_there_.close();  // so that its end is the child's alone
}

HostProcess::~HostProcess() {
  if (id_ < 0 || status_) return;
  send_signal(SIGKILL);
  int status = 0;
  while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
}

void HostProcess::spawn(const ProcessOptions& options) {
  // Pinned here, the child is pinned from its first instruction.
  if (options.cpu >= 0) host::platform::pin_to(options.cpu);
  const pid_t parent = getpid();
  std::vector<std::string> arguments = {options.node_binary, "--host",
                                        "--mailbox",         std::to_string(kMailboxFd),
                                        "--parent",          std::to_string(parent)};
  if (bell_there_.get() >= 0) {
    arguments.insert(arguments.end(), {"--bell", std::to_string(kBellFd)});
  }
  if (options.apart && host::platform::has_futex() && !options.portable) {
    pool_.take(host::platform::make_shared_memory(host::SharedPages::kPoolBytes),
               "memory for the pages that nodes share");
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(options.cpu_limit);
    arguments.insert(arguments.end(), {"--apart", std::to_string(kPoolFd), "--cpu-limit-ms",
                                       std::to_string(limit.count())});
  }
  if (options.perturb) arguments.insert(arguments.end(), {"--perturb", "2718281828"});
  const pid_t seen_parent = launcher().parent_inside;
  arguments[5] = std::to_string(seen_parent > 0 ? seen_parent : parent);
  wrapped_ = seen_parent > 0;
  if (!launcher().host.empty()) {
    arguments.insert(arguments.begin(), launcher().host.begin(), launcher().host.end());
    std::replace(arguments.begin(), arguments.end(), std::string(Launcher::kParentWord),
                 std::to_string(parent));
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) trouble("cannot make a pair of sockets");
#ifdef __linux__
    // Before the launcher can speak: what is sent earlier comes without its sender's number.
    const int on = 1;
    if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
      trouble("cannot ask who speaks on a socket");
    }
#endif
    tell_here_.take(ends[0], "a socket");
    tell_there_.take(ends[1], "a socket");
  }
  const std::vector<std::string> environment = host_environment();
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  id_ = fork();
  if (id_ < 0) trouble("cannot start a host process");
  if (id_ == 0) become_host(parent, argv.data(), envp.data());
  setpgid(id_, id_);  // here and there, so that it holds whoever comes first
  host_ = id_;
  if (tell_here_.get() >= 0) await_launch(options);
}

void HostProcess::await_launch(const ProcessOptions& options) {
  tell_there_.close();
  try {
    const Launched launched = launched_on(tell_here_.get());
    if (launched.host <= 0 || !launched.trouble.empty()) {
      throw GraderTrouble("the sandbox cannot start " + options.node_binary + ": " +
                          (!launched.trouble.empty() ? launched.trouble
                           : words().empty()         ? std::strerror(mailbox_->board().exec_error)
                                                     : words()));
    }
    host_ = launched.host;
  } catch (const GraderTrouble&) {
    kill(-id_, SIGKILL);
    kill(id_, SIGKILL);
    waitpid(id_, nullptr, 0);
    throw;
  }
  tell_here_.close();
}

/// Between fork and exec: only calls that are safe in a signal handler.
void HostProcess::become_host(pid_t parent, char* const* argv, char* const* environment) {
  // Its own group: the terminal's Ctrl-C is ours alone, and kill reaches its children.
  setpgid(0, 0);
  host::platform::die_with_parent();
  if (getppid() != parent) _exit(0);
  const rlimit words{kMostWords, kMostWords};
  setrlimit(RLIMIT_FSIZE, &words);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_DFL);
  dup2(null_.get(), STDIN_FILENO);
  dup2(words_.get(), STDOUT_FILENO);
  dup2(words_.get(), STDERR_FILENO);
  dup2(memory_.get(), kMailboxFd);
  if (bell_there_.get() >= 0) dup2(bell_there_.get(), kBellFd);
  if (pool_.get() >= 0) dup2(pool_.get(), kPoolFd);
  if (bell_there_.get() < 0) close(kBellFd);
  if (pool_.get() < 0) close(kPoolFd);
  if (tell_there_.get() >= 0) dup2(tell_there_.get(), Launcher::kTellFd);
  host::platform::close_from(tell_there_.get() >= 0 ? Launcher::kTellFd + 1 : kFirstFree);
  execve(argv[0], argv, environment);
  mailbox_->board().exec_error.store(errno);
  _exit(127);
}

std::optional<int> HostProcess::ended() {
  if (status_) return status_;
  int status = 0;
  const pid_t found = waitpid(id_, &status, WNOHANG);
  if (found == id_) {
    status_ = wrapped_ ? unwrapped(status) : status;
    kill(-id_, SIGKILL);  // what it may have started; an empty group is no error that matters
  }
  return status_;
}

std::optional<std::chrono::nanoseconds> HostProcess::cpu_time() const {
  return host::platform::cpu_time(host_);
}

void HostProcess::send_signal(int number) {
  if (status_) return;
  kill(host_, number);
  if (number == SIGKILL) kill(-id_, number);
}

std::string HostProcess::words() const {
  struct stat file {};
  if (fstat(words_.get(), &file) != 0) return "";
  const off_t from = std::max<off_t>(0, file.st_size - static_cast<off_t>(kWordsKept));
  std::string text(static_cast<std::size_t>(file.st_size - from), '\0');
  const ssize_t got = pread(words_.get(), text.data(), text.size(), from);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

void HostProcess::trim_words() const {
  struct stat file {};
  if (fstat(words_.get(), &file) != 0 || file.st_size < kTrimWordsAt) return;
  [[maybe_unused]] const int done = ftruncate(words_.get(), 0);
}

}  // namespace dynamo::sim
