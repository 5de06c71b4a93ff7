#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

extern char** environ;  // NOLINT(readability-redundant-declaration): glibc has it, macOS has not

namespace dynamo::testing {

namespace {

constexpr auto kPatience = std::chrono::seconds(30);  // a busy machine with sanitizers

}  // namespace

Process::Process(const std::vector<std::string>& words) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  std::array<int, 2> write_ends{};
  for (int i = 0; i < 2; ++i) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pipes_[i] = ends[0];
    write_ends[static_cast<std::size_t>(i)] = ends[1];
    posix_spawn_file_actions_adddup2(&actions, ends[1], i + 1);
  }
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));  // NOLINT
  argv.push_back(nullptr);
  const int error = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  for (const int end : write_ends) close(end);
  if (error != 0) throw std::runtime_error("cannot start " + words[0]);
}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const int end : pipes_) close(end);
}

void Process::send(int signal) const { kill(pid_, signal); }

bool Process::read_more(std::chrono::milliseconds at_most) {
  std::array<pollfd, 2> polled{};
  for (std::size_t i = 0; i < 2; ++i) polled[i] = {pipes_[i], POLLIN, 0};
  if (poll(polled.data(), 2, static_cast<int>(at_most.count())) <= 0) return true;
  bool open = false;
  for (std::size_t i = 0; i < 2; ++i) {
    if (polled[i].revents == 0) {
      open = open || polled[i].fd >= 0;
      continue;
    }
    std::array<char, 4096> chunk{};
    const ssize_t count = read(pipes_[i], chunk.data(), chunk.size());
    if (count <= 0) {
      close(pipes_[i]);
      pipes_[i] = -1;  // poll passes over it
      continue;
    }
    open = true;
    (i == 0 ? out_ : err_).append(chunk.data(), static_cast<std::size_t>(count));
  }
  return open;
}

bool Process::wait_for(const std::string& part) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  const auto found = [&] { return out_.find(part) != out_.npos || err_.find(part) != err_.npos; };
  while (!found()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (!read_more(std::chrono::milliseconds(100))) return found();
  }
  return true;
}

int Process::wait() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (read_more(std::chrono::milliseconds(100))) {
    if (std::chrono::steady_clock::now() > deadline) return -1000;
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return -1000;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1 - WTERMSIG(status);
}

}  // namespace dynamo::testing
