#include "storage/lmdb_store.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "storage/free_space.h"
#include "storage/journal.h"
#include "storage/lmdb_check.h"
#include "storage/memory_store.h"

namespace dynamo {

namespace {

/// Our own facts about the disk; no module can name this space, for it is longer than allowed.
const std::string kMetaSpace(kMaxStorageSpaceBytes + 1, '\x01');
constexpr std::string_view kIncarnationKey = "incarnation";
constexpr std::string_view kAppliedKey = "journal";  ///< Number of the last transaction in LMDB.

/// From about here on a value has pages of its own in LMDB.
constexpr std::size_t kLongBytes = 1000;

/// Records of the journal that one checkpoint takes in, at most about; and as much may wait for it
/// however little the file system has free.
constexpr std::uint64_t kJournalBytes = 48u << 20;
constexpr std::uint64_t kWaitingBytes = 16u << 20;

/// LMDB copies each page that a transaction changes, and reuses pages only two transactions later.
/// So that deletes never fail on a full disk, there is place for some copies of the whole tree.
constexpr std::uint64_t kMapFactor = 4;

/// Pages that a commit of deletes may need although the store is full (LMDB copies on write).
constexpr std::uint64_t kReserveBytes = 256 << 10;

MDB_val view_of(std::string_view bytes) {
  return {bytes.size(),
          const_cast<char*>(bytes.data())};  // NOLINT: LMDB's C interface is not const
}
std::string_view view_of(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

/// False for names that nothing can be stored under, so that nothing can be found there either.
bool can_exist(std::string_view space) {
  return !space.empty() && space.size() <= kMaxStorageSpaceBytes;
}
bool can_exist(std::string_view space, std::string_view key) {
  return can_exist(space) && !key.empty() && key.size() <= kMaxStorageKeyBytes;
}

/// One LMDB table holds all spaces: the name's length, the name, the key. Names order keys apart.
std::string full_key(std::string_view space, std::string_view key) {
  std::string full;
  full.reserve(1 + space.size() + key.size());
  full.push_back(static_cast<char>(space.size()));
  return full.append(space).append(key);
}

}  // namespace

struct LmdbStore::Lmdb {
  explicit Lmdb(const LmdbOptions& opts) : options(opts) {}
  ~Lmdb() {
    journal.reset();  // its thread first
    if (txn != nullptr) mdb_txn_abort(txn);
    if (env != nullptr) mdb_env_close(env);
    if (lock >= 0) ::close(lock);
  }
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;

  [[noreturn]] void fail(const std::string& doing, const std::string& why) const {
    throw StorageError(options.folder.string() + ": cannot " + doing + ": " + why);
  }
  void check(int code, std::string_view doing) const {
    if (code == MDB_SUCCESS) return;
    const bool full = code == MDB_MAP_FULL;
    fail(std::string(doing), full ? "the store has reached disk_limit_bytes; raise it in the config"
                                  : mdb_strerror(code));
  }

  /// Also notes which folders are new to the disk.
  void make_folder() {
    std::error_code error;
    to_sync = {options.folder};
    for (auto at = std::filesystem::absolute(options.folder).lexically_normal();
         !std::filesystem::exists(at, error) && at.has_relative_path(); at = at.parent_path()) {
      to_sync.push_back(at.parent_path());
    }
    std::filesystem::create_directories(options.folder, error);
    if (error)
      fail("make the folder", error.message() + "; give --data a folder that you may write to");
  }

  /// LMDB would let a second process in; two nodes on one disk would be one node too many.
  void take_lock() {
    const std::string path = (options.folder / "lock").string();
    lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
      fail("open " + path,
           std::string(std::strerror(errno)) + "; give --data a folder that you may write to");
    }
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
      fail("use the folder", "another process uses it; give each node a --data folder of its own");
    }
  }

  /// LMDB syncs what is in a file. That there is such a file stands in its folder, and that there
  /// is such a folder in the one above: without this a power cut could take all of it.
  void sync_folders() {
    for (const std::filesystem::path& folder : std::exchange(to_sync, {})) {
      const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      const bool synced = opened >= 0 && (::fsync(opened) == 0 || errno == EINVAL);
      const int error = errno;  // EINVAL: a file system where folders need no fsync
      if (opened >= 0) ::close(opened);
      if (!synced) fail("sync the folder " + folder.string(), std::strerror(error));
    }
  }

  /// LMDB's transaction is begun once and stays open over many of ours: each is durable in the
  /// journal, and LMDB writes a page once for all that changed on it. After a crash the file is as
  /// the last checkpoint left it, and the journal brings the rest.
  void replay() {
    const std::filesystem::path file = options.folder / "journal";
    try {
      journal = std::make_unique<Journal>(file, journal_options());
      const auto kept = read(full_key(kMetaSpace, kAppliedKey));
      const auto applied = kept ? codec::decode<std::uint64_t>(*kept) : 0;
      if (!applied) fail("read the store's number", "the store is damaged; use an empty folder");
      const std::string damage = journal->replay(
          *applied, [this](std::string_view key, std::optional<std::string_view> value) {
            if (value) {
              put(key, *value);
            } else {
              erase(key);
            }
            ++writes_since_checkpoint;
          });
      if (!damage.empty()) throw_damage(file, damage);
    } catch (const std::system_error& error) {
      fail(error.what() + std::string(" the journal"), error.code().message());
    }
  }

  JournalOptions journal_options() const {
    if (!options.durable) return {};
    return {options.sync_for_test ? options.sync_for_test : sync_file, options.news};
  }

  /// What `work` does with the journal; its errors as ours.
  template <class Work>
  auto journaled(Work&& work) const {
    try {
      return work(*journal);
    } catch (const std::system_error& error) {
      fail("make the writes durable", error.code().message());
    }
  }

  bool checkpoint_is_due() {
    const std::uint64_t changed = checkpoint_bytes(used());
    const std::uint64_t waiting = changed + journal->bytes();
    return writes_since_checkpoint >= options.checkpoint_writes ||
           journal->bytes() >= kJournalBytes || changed >= options.checkpoint_bytes ||
           (waiting >= kWaitingBytes && available() < 4 * waiting);
  }

  /// Bytes that the file system has free, all that came to the journal being written.
  std::uint64_t available() {
    return journaled([this](const Journal& all) { return free_space.bytes(all); });
  }

  /// All that was committed stands in LMDB's file then.
  void checkpoint() {
    journaled([](Journal& all) { all.wait(); });
    const std::string number = codec::encode(journal->number());
    put(full_key(kMetaSpace, kAppliedKey), number);
    check(mdb_txn_commit(std::exchange(txn, nullptr)), "make the writes durable");
    journal->restart();
    writes_since_checkpoint = 0;
    begin_transaction();
  }

  void begin_transaction() { check(mdb_txn_begin(env, nullptr, 0, &txn), "begin a transaction"); }

  [[noreturn]] static void throw_damage(const std::filesystem::path& file,
                                        const std::string& damage) {
    throw StorageError(file.string() + ": is damaged: " + damage +
                       "; put a good copy in its place, or give --data an empty folder (this node "
                       "then begins anew, and what only it held is lost)");
  }

  void check_file() const {
    const std::filesystem::path file = options.folder / "data.mdb";
    const std::string damage = damage_in_lmdb_file(file);
    if (!damage.empty()) throw_damage(file, damage);
  }

  void open() {
    check(mdb_env_create(&env), "start LMDB");
    check(mdb_env_set_mapsize(env, kMapFactor * options.limit_bytes), "set the store's limit");
    // NOLOCK: we hold a lock of our own, and have one thread.
    const unsigned flags = MDB_NOLOCK | MDB_NOMEMINIT | (options.durable ? 0 : MDB_NOSYNC);
    check(mdb_env_open(env, options.folder.c_str(), flags, 0600), "open the store");
    begin_transaction();
    check(mdb_dbi_open(txn, nullptr, 0, &dbi), "open the store's table");
  }

  /// The open transaction.
  MDB_txn* transaction() const {
    if (!in_handler) throw std::logic_error("storage is used outside of a handler");
    return txn;
  }

  /// Of the tree as it is now: a look at what LMDB counts anyway.
  MDB_stat stat() const {
    MDB_stat stat{};
    check(mdb_stat(transaction(), dbi, &stat), "count the store's keys and pages");
    return stat;
  }

  std::optional<std::string> read(const std::string& full) const {
    MDB_val k = view_of(full);
    MDB_val v{};
    const int code = mdb_get(transaction(), dbi, &k, &v);
    if (code == MDB_NOTFOUND) return std::nullopt;
    check(code, "read");
    return std::string(view_of(v));
  }

  void put(std::string_view full, std::string_view value) const {
    MDB_val k = view_of(full);
    MDB_val v{};
    // LMDB keeps all pages of a long value that a shorter one takes the place of, if both come in
    // one transaction of its own.
    const bool long_before = stat().ms_overflow_pages != 0 &&
                             mdb_get(transaction(), dbi, &k, &v) == MDB_SUCCESS &&
                             v.mv_size > kLongBytes;
    if (long_before && value.size() < v.mv_size) erase(full);
    k = view_of(full);
    v = view_of(value);
    check(mdb_put(transaction(), dbi, &k, &v, 0), "write");
  }

  /// False if it was not there.
  bool erase(std::string_view full) const {
    MDB_val k = view_of(full);
    const int code = mdb_del(transaction(), dbi, &k, nullptr);
    if (code != MDB_NOTFOUND) check(code, "erase");
    return code != MDB_NOTFOUND;
  }

  void write(const std::string& full, std::string_view value) {
    const bool failed_before = std::exchange(failed, true);
    journal->put(full, value);
    put(full, value);
    count_write(full.size() + value.size());
    failed = failed_before || used() > options.limit_bytes;
    if (failed) check(MDB_MAP_FULL, "write");
  }

  /// Ends the transaction; `into_journal` gives it to the journal.
  template <class IntoJournal>
  Commit end(IntoJournal&& into_journal) {
    if (failed) check(MDB_MAP_FULL, "make the writes durable");
    Commit ended = std::exchange(wrote, {});
    if (ended.writes != 0) {
      journaled(into_journal);
      writes_since_checkpoint += ended.writes;
      if (checkpoint_is_due()) checkpoint();
    }
    ended.number = journal->number();
    in_handler = false;
    return ended;
  }

  void count_write(std::size_t bytes) {
    ++wrote.writes;
    wrote.bytes += bytes;
  }

  /// Bytes that the tree takes now, free pages inside of it not counted.
  std::uint64_t used() const {
    const MDB_stat now = stat();
    return (now.ms_branch_pages + now.ms_leaf_pages + now.ms_overflow_pages) * now.ms_psize;
  }

  /// What the next checkpoint may write anew, of a tree of `used` bytes: a leaf and a branch for
  /// each write, and no page twice.
  std::uint64_t checkpoint_bytes(std::uint64_t used) const {
    constexpr std::uint64_t kPageBytes = 4096;
    return std::min(2 * kPageBytes * (writes_since_checkpoint + wrote.writes), used);
  }

  LmdbOptions options;
  FreeSpace free_space{options.folder, options.free_bytes_for_test};
  std::vector<std::filesystem::path> to_sync;  ///< Folders that may not be on the disk yet.
  int lock = -1;
  MDB_env* env = nullptr;
  MDB_dbi dbi = 0;
  MDB_txn* txn = nullptr;   ///< Always open; what the journal has since the last checkpoint.
  bool in_handler = false;  ///< Between begin() and commit().
  std::unique_ptr<Journal> journal;
  std::uint64_t writes_since_checkpoint = 0;
  Commit wrote;  ///< Since begin().
  /// A write did not succeed, or took more than there is room for: it must not be committed.
  bool failed = false;
};

/// A cursor that is closed, also when a visitor throws.
struct LmdbStore::Cursor {
  explicit Cursor(const Lmdb& lmdb) {
    lmdb.check(mdb_cursor_open(lmdb.transaction(), lmdb.dbi, &cursor), "scan");
  }
  ~Cursor() { mdb_cursor_close(cursor); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  MDB_cursor* cursor = nullptr;
};

LmdbStore::LmdbStore(const LmdbOptions& options, Incarnation fresh_incarnation)
    : lmdb_(std::make_unique<Lmdb>(options)) {
  lmdb_->make_folder();
  lmdb_->take_lock();
  lmdb_->check_file();
  lmdb_->open();
  begin();
  lmdb_->replay();
  const std::string key = full_key(kMetaSpace, kIncarnationKey);
  if (const auto kept = lmdb_->read(key)) {
    const auto number = codec::decode<Incarnation>(*kept);
    if (!number) {
      lmdb_->fail("read the disk's incarnation", "the store is damaged; use an empty folder");
    }
    incarnation_ = *number;
    was_empty_ = lmdb_->stat().ms_entries == 2;  // ours: the incarnation and the journal's number
  } else {
    incarnation_ = fresh_incarnation;
    lmdb_->put(key, codec::encode(incarnation_));
    lmdb_->checkpoint();  // from now on LMDB's file is a whole one
  }
  commit();
  if (options.durable) lmdb_->sync_folders();
}

LmdbStore::~LmdbStore() = default;

void LmdbStore::begin() {
  if (std::exchange(lmdb_->in_handler, true) || !lmdb_->journal) return;
  lmdb_->journaled([this](const Journal& journal) { lmdb_->free_space.begin(journal); });
}

bool LmdbStore::wrote() const { return lmdb_->wrote.writes != 0; }

Commit LmdbStore::seal() {
  return lmdb_->end([](Journal& journal) { journal.seal(); });
}

Commit LmdbStore::commit() {
  const Commit ended = lmdb_->end([](Journal& journal) { journal.commit(); });
  lmdb_->journaled([](Journal& journal) { journal.wait(); });  // for those that were sealed
  return ended;
}

std::uint64_t LmdbStore::durable() const {
  return lmdb_->journaled([](const Journal& journal) { return journal.durable(); });
}

std::uint64_t LmdbStore::sealed() const { return lmdb_->journal->number(); }

std::optional<std::string> LmdbStore::get(std::string_view space, std::string_view key) const {
  if (!can_exist(space, key)) return std::nullopt;
  return lmdb_->read(full_key(space, key));
}

void LmdbStore::put(std::string_view space, std::string_view key, std::string_view value) {
  check_storage_names(space, key);
  check_no_scan(scans_);
  lmdb_->write(full_key(space, key), value);
}

void LmdbStore::erase(std::string_view space, std::string_view key) {
  check_storage_names(space, key);
  check_no_scan(scans_);
  const std::string full = full_key(space, key);
  const bool failed_before = std::exchange(lmdb_->failed, true);
  const bool was_there = lmdb_->erase(full);
  lmdb_->failed = failed_before;
  if (!was_there) return;
  lmdb_->journal->erase(full);
  lmdb_->count_write(full.size());
}

void LmdbStore::scan(std::string_view space, std::string_view from, const Visitor& visit) const {
  if (!can_exist(space)) return;
  const Cursor open(*lmdb_);
  const ScanCount counted(scans_);
  const std::string prefix = full_key(space, "");
  const std::string first = full_key(space, from.substr(0, kMaxStorageKeyBytes + 1));
  MDB_val k = view_of(first);
  MDB_val v{};
  int code = mdb_cursor_get(open.cursor, &k, &v, MDB_SET_RANGE);
  while (code == MDB_SUCCESS && view_of(k).substr(0, prefix.size()) == prefix) {
    if (!visit(view_of(k).substr(prefix.size()), view_of(v))) return;
    code = mdb_cursor_get(open.cursor, &k, &v, MDB_NEXT);
  }
  if (code != MDB_NOTFOUND) lmdb_->check(code, "scan");
}

void LmdbStore::scan_all(const EntryVisitor& visit) const {
  const Cursor open(*lmdb_);
  const ScanCount counted(scans_);
  MDB_val k{};
  MDB_val v{};
  int code = mdb_cursor_get(open.cursor, &k, &v, MDB_FIRST);
  for (; code == MDB_SUCCESS; code = mdb_cursor_get(open.cursor, &k, &v, MDB_NEXT)) {
    const std::string_view full = view_of(k);
    const auto space = static_cast<unsigned char>(full.front());
    if (space > kMaxStorageSpaceBytes) return;  // ours: it comes last
    visit(full.substr(1, space), full.substr(1 + std::size_t{space}), view_of(v));
  }
  if (code != MDB_NOTFOUND) lmdb_->check(code, "scan");
}

bool LmdbStore::room(std::size_t bytes) const {
  if (bytes > lmdb_->options.limit_bytes) return false;  // and the sums below cannot overflow
  // A page may be copied for each write, so twice the bytes is what a commit can take.
  const std::uint64_t wanted = 2 * static_cast<std::uint64_t>(bytes) + kReserveBytes;
  const std::uint64_t used = lmdb_->used();
  if (used + wanted > lmdb_->options.limit_bytes) return false;
  const std::uint64_t available =
      lmdb_->journaled([this](const Journal& journal) { return lmdb_->free_space.bytes(journal); });
  return available > wanted + lmdb_->checkpoint_bytes(used);
}

}  // namespace dynamo
