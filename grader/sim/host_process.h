// One host process: its birth, its signs of life, its end. Never a zombie, never a descriptor left.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "host/mailbox.h"
#include "sim/host.h"

namespace dynamo::sim {

class HostProcess {
 public:
  /// Starts it. Throws GraderTrouble if there is no memory or no process to be had.
  explicit HostProcess(const ProcessOptions& options);
  /// Kills it, if it lives, with all that it started, and reaps it.
  ~HostProcess();
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  host::Mailbox& mailbox() { return *mailbox_; }
  const host::Bell& bell() const { return *bell_; }

  /// Its status, as waitpid gives it, once it has ended; it is reaped then.
  std::optional<int> ended();
  /// CPU time that it has used since it began. Nothing if that cannot be told.
  std::optional<std::chrono::nanoseconds> cpu_time() const;
  void send_signal(int number);
  pid_t id() const { return host_; }
  /// The end of what it has printed, at most 64 KiB.
  std::string words() const;
  /// Forgets what it has printed, if that has grown large.
  void trim_words() const;

 private:
  /// A descriptor, closed with its owner.
  class Descriptor {
   public:
    Descriptor() = default;
    ~Descriptor();
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    /// Takes `fd` and moves it out of the way of those that the child is given. Throws
    /// GraderTrouble.
    void take(int fd, const char* what);
    void close();
    int get() const { return fd_; }

   private:
    int fd_ = -1;
  };

  void spawn(const ProcessOptions& options);
  /// Waits until the launcher has become the host. Throws GraderTrouble if it cannot.
  void await_launch(const ProcessOptions& options);
  [[noreturn]] void become_host(pid_t parent, char* const* argv, char* const* environment);

  Descriptor memory_, words_, null_, bell_here_, bell_there_;
  Descriptor pool_;                    ///< Only where each node has a process of its own.
  Descriptor tell_here_, tell_there_;  ///< Only behind a launcher.
  std::unique_ptr<host::Mailbox> mailbox_;
  std::optional<host::Bell> bell_;
  pid_t id_ = -1;         ///< The child that we wait for.
  pid_t host_ = -1;       ///< The host; another one where it has process numbers of its own.
  bool wrapped_ = false;  ///< Then `id_` tells a signal of the host as an exit code.
  std::optional<int> status_;
};

}  // namespace dynamo::sim
