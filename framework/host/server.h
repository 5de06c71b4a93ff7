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

namespace dynamo::host {

/// What surrounds a server; all of it may be left out.
struct ServerHooks {
  std::atomic<std::uint32_t>* at_work =
      nullptr;                                 ///< Set to the index of the command that runs now.
  std::function<std::uint64_t()> allocations;  ///< Heap allocations of this process until now.
  std::function<void()> before_handler;  ///< For example, to spoil the free part of the stack.
};

/// Runs batches of commands. Exceptions of a solution pass through; the server is of no use after
/// one.
class HostServer {
 public:
  explicit HostServer(ServerHooks hooks = {});
  ~HostServer();
  HostServer(const HostServer&) = delete;
  HostServer& operator=(const HostServer&) = delete;

  /// Takes a batch. Its bytes stay where they are until run() has returned true.
  void begin(std::string_view batch);

  /// Runs commands and puts the answer in place of what `answer` held. False: the answer is full,
  /// and the next run() goes on. Throws std::runtime_error if the batch is malformed.
  bool run(std::string& answer);

 private:
  struct Resident;

  void run_command(Command command, std::uint32_t slot);
  void run_handler(Command command, Resident& resident);
  void make(std::uint32_t slot);

  ServerHooks hooks_;
  codec::Reader batch_{std::string_view()};
  std::uint32_t index_ = 0;        ///< Of the command that runs, within its batch.
  std::uint64_t allocations_ = 0;  ///< Of this batch's handlers.
  std::string answer_;
  std::map<std::uint32_t, std::unique_ptr<Resident>> residents_;
};

}  // namespace dynamo::host
