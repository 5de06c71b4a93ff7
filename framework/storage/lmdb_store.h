// Storage on a real disk, over LMDB: an embedded, memory-mapped B+ tree with one writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/storage.h"

namespace dynamo {

/// The disk does not do what it should: what() names the folder, the trouble and a cure.
class StorageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct LmdbOptions {
  std::filesystem::path folder;   ///< Made if absent. Only one process at a time may use it.
  std::uint64_t limit_bytes = 0;  ///< How much keys and values may take, pages included.
  bool durable = true;            ///< False: no fsync, for benchmarks that say so.
  /// About so many writes go to the journal before LMDB's file takes them in. More: fewer pages are
  /// written for each, but the commit that does it takes longer, as does opening after a crash.
  std::uint64_t checkpoint_writes = 250'000;
  /// And at most about so many bytes of pages may be changed by then, at two pages a write, which
  /// is twice what a small put changes: they are in memory, and that commit writes them all.
  std::uint64_t checkpoint_bytes = 256u << 20;
  /// Called in another thread whenever durable() has something new to say.
  std::function<void()> news = {};
  /// In the place of fdatasync(file), for tests that hold it back or let it fail.
  std::function<int(int file)> sync_for_test = {};
  /// What the file system has free, for tests of a disk that is nearly full.
  std::function<std::uint64_t()> free_bytes_for_test = {};
};

/// What one transaction wrote.
struct Commit {
  std::uint64_t writes = 0;  ///< Keys set or erased; 0: there was nothing to write, and no sync.
  std::uint64_t bytes = 0;   ///< Of their keys and values.
  /// The transaction and all before it are on the disk once durable() has come to this number.
  std::uint64_t number = 0;
};

/// begin() … reads and writes of some handlers … commit(): all of them durable, or none. With
/// seal() in the place of commit() they become so in the background, in order, while further
/// transactions run; these see what is not durable yet. Outside of the pair there is no storage: it
/// throws std::logic_error. One thread.
class LmdbStore final : public Storage {
 public:
  /// Opens or makes the store. Throws StorageError. `fresh_incarnation` becomes the disk's if it is
  /// new.
  LmdbStore(const LmdbOptions& options, Incarnation fresh_incarnation);
  ~LmdbStore() override;
  LmdbStore(const LmdbStore&) = delete;
  LmdbStore& operator=(const LmdbStore&) = delete;

  /// True if no module has written anything to this disk before it was opened.
  bool was_empty() const { return was_empty_; }

  /// Kept on the disk since it was new.
  Incarnation incarnation() const { return incarnation_; }

  /// Opens the transaction that everything until commit() or seal() belongs to.
  void begin();

  /// True if something was written since begin().
  bool wrote() const;

  /// Ends the transaction without waiting for the disk, unless too much waits for it already, or a
  /// checkpoint is due. Errors, also those of earlier transactions, as those of commit().
  Commit seal();

  /// See Commit::number. Errors, of any transaction that was sealed, as those of commit().
  std::uint64_t durable() const;

  /// The number of the last transaction that was sealed.
  std::uint64_t sealed() const;

  /// seal(), and waits. What was written; it is on the disk then. Throws StorageError, after which
  /// the store is of no use: the node must stop, and nothing of the transaction may leave it.
  Commit commit();

  std::optional<std::string> get(std::string_view space, std::string_view key) const override;
  void put(std::string_view space, std::string_view key, std::string_view value) override;
  void erase(std::string_view space, std::string_view key) override;
  void scan(std::string_view space, std::string_view from, const Visitor& visit) const override;

  /// Visits all that the modules have written, by space and key. Do not write meanwhile.
  using EntryVisitor =
      std::function<void(std::string_view space, std::string_view key, std::string_view value)>;
  void scan_all(const EntryVisitor& visit) const;

  /// False when less than the bytes asked for, and a reserve for deletes, are left of the limit or
  /// of the file system.
  bool room(std::size_t bytes) const override;

 private:
  struct Lmdb;
  struct Cursor;
  std::unique_ptr<Lmdb> lmdb_;
  Incarnation incarnation_ = 0;
  bool was_empty_ = true;
  mutable int scans_ = 0;  ///< Scans under way: writes are forbidden meanwhile.
};

}  // namespace dynamo
