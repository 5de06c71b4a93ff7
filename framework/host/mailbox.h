// The mailbox between a host and the trusted side: a page of words, then a batch, then an answer,
// in memory that both have mapped. It has its full size from the start: untouched pages cost
// nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "host/crash.h"
#include "host/protocol.h"

namespace dynamo::host {

/// "Dynh" and the protocol's number: a host built from other sources says so at once.
inline constexpr std::uint32_t kMailboxVersion = 0x44796e01;

/// Words that cross. Each is written by one side only; the trusted side reads a host's word once,
/// and believes nothing.
struct Board {  // NOLINT(clang-analyzer-optin.performance.Padding): a cache line for each writer
  // Written by the trusted side.
  std::uint32_t version = kMailboxVersion;
  std::atomic<std::uint32_t> asked{0};        ///< Number of crossings begun; a host sleeps on it.
  std::atomic<std::uint64_t> batch_bytes{0};  ///< 0: go on with the batch that is there.
  std::atomic<std::int32_t> exec_error{0};    ///< Set between fork and exec: why there is no host.
  // Written by the host.
  alignas(64) std::atomic<std::uint32_t> answered{0};  ///< Number of crossings done.
  std::atomic<std::uint64_t> answer_bytes{0};
  std::atomic<std::uint32_t> serving{0};  ///< 1 once main() has been reached.
  std::atomic<std::uint32_t> at_work{0};  ///< Index of the command that runs, for a message only.
  CrashReport crash;                      ///< Filled in on the way down, for a message only.
};

inline constexpr std::size_t kBoardBytes = 16384;
static_assert(sizeof(Board) <= kBoardBytes);
inline constexpr std::size_t kMailboxBytes = kBoardBytes + 2 * kMaxCrossingBytes;

/// A mapping of the memory behind a descriptor; the descriptor stays the caller's.
class Mailbox {
 public:
  /// Throws std::runtime_error if it cannot be mapped. `fresh`: writes an empty board first.
  Mailbox(int fd, bool fresh);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  Board& board() { return *reinterpret_cast<Board*>(memory_); }
  char* batch() { return memory_ + kBoardBytes; }
  char* answer() { return memory_ + kBoardBytes + kMaxCrossingBytes; }

 private:
  char* memory_ = nullptr;
};

/// Wakes the other side and sleeps until it does the same: on the word itself where the system has
/// futexes, else with bytes on a socket.
class Bell {
 public:
  /// `socket`: one end of a pair, the caller's; -1: futexes.
  explicit Bell(int socket) : socket_(socket) {}

  void ring(std::atomic<std::uint32_t>& word) const;
  /// Until `word` differs from `seen`, a ring, or the end of `slice`, whichever comes first.
  void wait(std::atomic<std::uint32_t>& word, std::uint32_t seen,
            std::chrono::milliseconds slice) const;

 private:
  int socket_;
};

}  // namespace dynamo::host
