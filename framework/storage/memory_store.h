// Storage in memory: what a simulated node has for a disk.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/storage.h"

namespace dynamo {

/// Largest key and name of a space, in bytes (core/storage.h); all engines hold to them.
inline constexpr std::size_t kMaxStorageKeyBytes = 400;
inline constexpr std::size_t kMaxStorageSpaceBytes = 60;

/// Throws std::length_error unless a write under these names keeps to the limits.
void check_storage_names(std::string_view space, std::string_view key);

/// Throws std::logic_error if a scan is under way: nobody may write then.
void check_no_scan(int scans);

/// Keeps the count of scans right, also when a visitor throws.
class ScanCount {
 public:
  explicit ScanCount(int& count) : count_(count) { ++count_; }
  ~ScanCount() { --count_; }
  ScanCount(const ScanCount&) = delete;
  ScanCount& operator=(const ScanCount&) = delete;

 private:
  int& count_;
};

/// An ordered map with a budget. It knows nothing of transactions: whoever drives the node learns
/// of each write from the watcher, and decides what a crash leaves of them.
class MemoryStore final : public Storage {
 public:
  /// Hears of each write, in order. The views die when it returns.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void wrote(std::string_view space, std::string_view key, std::string_view value) = 0;
    virtual void erased(std::string_view space, std::string_view key) = 0;
  };

  // std::string orders bytes as unsigned, which is what "bytewise" asks for.
  using Space = std::map<std::string, std::string, std::less<>>;
  using Content = std::map<std::string, Space, std::less<>>;  ///< By the space's name.

  /// Empty, with `room` bytes to grow by. `watcher` may be null; else it outlives the store.
  explicit MemoryStore(std::uint64_t room, Watcher* watcher = nullptr)
      : room_(room), watcher_(watcher) {}

  /// Fills in what the disk holds already: not watched, and not charged to the room.
  void load(std::string space, std::string key, std::string value);
  /// The same, in the place of all that it holds.
  void load(Content content) { spaces_ = std::move(content); }

  /// From now on it may grow by so many bytes of keys and values.
  void set_room(std::uint64_t room);

  /// True if more was written than there was room for: such a commit must fail.
  bool overdrawn() const { return grown_ > 0 && static_cast<std::uint64_t>(grown_) > room_; }

  std::optional<std::string> get(std::string_view space, std::string_view key) const override;
  void put(std::string_view space, std::string_view key, std::string_view value) override;
  void erase(std::string_view space, std::string_view key) override;
  void scan(std::string_view space, std::string_view from, const Visitor& visit) const override;
  bool room(std::size_t bytes) const override;

 private:
  Content spaces_;
  std::uint64_t room_;      ///< What it may grow by, counted from the last set_room().
  std::int64_t grown_ = 0;  ///< Bytes of keys and values since then; negative after erasing.
  Watcher* watcher_;
  mutable int scans_ = 0;  ///< Scans under way: writes are forbidden meanwhile.
};

}  // namespace dynamo
