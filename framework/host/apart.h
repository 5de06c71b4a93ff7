// Each node in a process of its own, behind one mailbox: for clusters of many thousand nodes, whose
// equal pages are then in memory once (host/shared_pages.h).
//
// The process that the trusted side has started gives turns. For `make` it forks; for all that
// concerns a node afterwards it wakes that node's process, which reads its commands from the
// mailbox and writes its answer there, and sleeps until it is done. One of them is at work at any
// time. What ends a node's process ends the giver of turns in the same way, so that a death is told
// as ever.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "host/mailbox.h"
#include "host/server.h"
#include "host/shared_pages.h"

namespace dynamo::host {

/// Needs platform::has_futex().
class NodeProcesses {
 public:
  /// `mailbox` outlives it. `pool_fd`: SharedPages says. `cpu_limit`: CPU time of one handler; past
  /// it, an endless loop, which ends this process by SIGXCPU.
  NodeProcesses(Mailbox& mailbox, int pool_fd, std::chrono::milliseconds cpu_limit,
                ServerHooks hooks);

  /// Takes the batch of so many bytes that is in the mailbox.
  void begin(std::size_t bytes);

  /// Runs commands; bytes of the answer, which is in the mailbox. If it was full, the next run()
  /// goes on.
  std::size_t run() noexcept;

 private:
  struct Turn;

  std::string_view rest();
  void make(std::uint32_t slot);
  void destroy(std::uint32_t slot);
  void give_turn(std::uint32_t slot);
  void await(std::uint32_t slot, std::uint32_t before);
  [[noreturn]] void live(std::uint32_t slot);
  void take_turn(std::uint32_t slot, std::string& answer) noexcept;

  Mailbox& mailbox_;
  HostServer server_;  ///< Here it keeps the image; a node's process has its node in its own copy.
  SharedPages pages_;
  const std::chrono::milliseconds cpu_limit_;
  Turn* turn_;  ///< Shared with all nodes' processes.
};

}  // namespace dynamo::host
