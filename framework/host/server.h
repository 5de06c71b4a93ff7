// The framework's side of a host: nodes by slot, and what their handlers do, as bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/codec.h"
#include "host/protocol.h"
#include "node/node.h"
#include "storage/memory_store.h"

namespace dynamo::host {

/// What surrounds a server; all of it may be left out.
struct ServerHooks {
  std::atomic<std::uint32_t>* at_work =
      nullptr;                                 ///< Set to the index of the command that runs now.
  std::function<std::uint64_t()> allocations;  ///< Heap allocations of this process until now.
  std::function<void()> before_handler;  ///< For example, to spoil the free part of the stack.
};

/// What each command begins with, and how many bytes that is.
struct CommandHead {
  Command command = Command::make;
  std::uint32_t slot = 0;
  std::size_t bytes = 0;
};

/// Of the first command in `batch`. Throws std::runtime_error if the batch is malformed.
CommandHead head_of(codec::Reader batch);

/// Runs batches of commands. Exceptions of a solution pass through; the server is of no use after
/// one.
class HostServer {
 public:
  explicit HostServer(ServerHooks hooks = {});
  ~HostServer();
  HostServer(const HostServer&) = delete;
  HostServer& operator=(const HostServer&) = delete;

  /// Takes a batch, or what is left of one from its command number `index` on. Its bytes stay where
  /// they are until run() has returned true.
  void begin(std::string_view batch, std::uint32_t index = 0);

  /// Runs commands and puts the answer in place of what `answer` held. False: the answer is full,
  /// and the next run() goes on. Throws std::runtime_error if the batch is malformed.
  bool run(std::string& answer);

  // For a process with one node (host/apart.h), which takes its turn in a batch that others share.

  /// From now on there is one node at most: it may have the image for itself.
  void serve_one_node() { one_node_ = true; }
  /// Runs the commands at the front that are for `slot`, until another `make` or a `destroy`, or
  /// until the answer has `full` bytes; how many they were. The answer gets no end.
  std::uint32_t run_own(std::uint32_t slot, std::string& answer, std::size_t full);
  /// Runs the next command, which is no handler.
  void run_one();
  /// Bytes of the batch that are left.
  std::size_t left() const { return batch_.left(); }
  /// Of the handlers since begin().
  std::uint64_t allocations() const { return allocations_; }

 private:
  struct Resident;

  void run_command(Command command, std::uint32_t slot);
  void run_handler(Command command, Resident& resident);
  void make(std::uint32_t slot);
  void take_image();

  ServerHooks hooks_;
  codec::Reader batch_{std::string_view()};
  std::uint32_t index_ = 0;        ///< Of the command that runs, within its batch.
  std::uint64_t allocations_ = 0;  ///< Of this batch's handlers.
  std::string answer_;
  MemoryStore::Content image_;  ///< What many disks begin with.
  bool one_node_ = false;
  std::map<std::uint32_t, std::unique_ptr<Resident>> residents_;
};

}  // namespace dynamo::host
