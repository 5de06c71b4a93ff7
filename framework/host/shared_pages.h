// Pages that many processes hold with the same content, once in memory: what the kernel's same-page
// merging does, without its privileges, for processes that were forked from one.
//
// Nodes that know the same history and run the same code fill their heaps alike, byte for byte and
// at the same addresses, but for the few pages where they differ. A process gives up a page of its
// own for a private mapping of an equal one in a pool, and gets a copy again when it writes there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dynamo::host {

/// One for a process and all that are forked from it. At most one of them may be at work at a time:
/// nothing is locked. Where the system cannot do it (not Linux with glibc, or a sanitizer's heap),
/// nothing is shared, and nothing else changes.
class SharedPages {
 public:
  /// Untouched ones cost nothing. Past it, what is new is not shared.
  static constexpr std::size_t kPoolBytes = std::size_t{1} << 30;

  /// From now on the heap of this process is one range of addresses. `pool_fd`: shared memory of
  /// kPoolBytes, the caller's. Throws std::runtime_error if it, or the index, cannot be mapped.
  explicit SharedPages(int pool_fd);
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;

  /// To be called now and then, with no pointer into the heap at work: if this process has got many
  /// pages of its own since the last time, gives up those that are in the pool. A page enters the
  /// pool when it has been met a second time.
  void share_if_grown();

 private:
  void share();
  bool interned(const char* page, std::uint32_t& place);

  struct Index;
  Index* index_ = nullptr;  ///< Shared by all; null: nothing is shared.
  const int pool_fd_;
  char* pool_ = nullptr;  ///< The pool's pages; mapped by all.
  char* heap_ = nullptr;  ///< Where the heap begins.
  long faults_ = 0;       ///< Of this process, when it last shared.
  std::size_t page_bytes_ = 0;
};

}  // namespace dynamo::host
