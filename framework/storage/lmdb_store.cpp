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
#include "storage/lmdb_check.h"
#include "storage/memory_store.h"

namespace dynamo {

namespace {

/// Our own facts about the disk; no module can name this space, for it is longer than allowed.
const std::string kMetaSpace(kMaxStorageSpaceBytes + 1, '\x01');
constexpr std::string_view kIncarnationKey = "incarnation";

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
  std::string full(1, static_cast<char>(space.size()));
  full.append(space).append(key);
  return full;
}

}  // namespace

struct LmdbStore::Lmdb {
  explicit Lmdb(const LmdbOptions& opts) : options(opts) {}
  ~Lmdb() {
    if (txn != nullptr) mdb_txn_abort(txn);
    if (env != nullptr) mdb_env_close(env);
    if (lock >= 0) ::close(lock);
  }
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;

  [[noreturn]] void fail(const std::string& doing, const std::string& why) const {
    throw StorageError(options.folder.string() + ": cannot " + doing + ": " + why);
  }
  void check(int code, const std::string& doing) const {
    if (code == MDB_MAP_FULL)
      fail(doing, "the store has reached disk_limit_bytes; raise it in the config");
    if (code != MDB_SUCCESS) fail(doing, mdb_strerror(code));
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

  void check_file() const {
    const std::filesystem::path file = options.folder / "data.mdb";
    const std::string damage = damage_in_lmdb_file(file);
    if (damage.empty()) return;
    throw StorageError(file.string() + ": is damaged: " + damage +
                       "; put a good copy in its place, or give --data an empty folder (this node "
                       "then begins anew, and what only it held is lost)");
  }

  void open() {
    check(mdb_env_create(&env), "start LMDB");
    check(mdb_env_set_mapsize(env, kMapFactor * options.limit_bytes), "set the store's limit");
    // NOLOCK: we hold a lock of our own, and have one thread.
    const unsigned flags = MDB_NOLOCK | MDB_NOMEMINIT | (options.durable ? 0 : MDB_NOSYNC);
    check(mdb_env_open(env, options.folder.c_str(), flags, 0600), "open the store");
    check(mdb_txn_begin(env, nullptr, 0, &txn), "begin a transaction");
    check(mdb_dbi_open(txn, nullptr, 0, &dbi), "open the store's table");
  }

  /// The open transaction.
  MDB_txn* in_handler() const {
    if (txn == nullptr) throw std::logic_error("storage is used outside of a handler");
    return txn;
  }

  /// Keys and values of the disk, ours included.
  std::size_t entries() const {
    MDB_stat stat{};
    check(mdb_stat(in_handler(), dbi, &stat), "count the store's keys");
    return stat.ms_entries;
  }

  std::optional<std::string> read(const std::string& full) const {
    MDB_val k = view_of(full);
    MDB_val v{};
    const int code = mdb_get(in_handler(), dbi, &k, &v);
    if (code == MDB_NOTFOUND) return std::nullopt;
    check(code, "read");
    return std::string(view_of(v));
  }

  void write(const std::string& full, std::string_view value) {
    MDB_val k = view_of(full);
    MDB_val v = view_of(value);
    check(mdb_put(in_handler(), dbi, &k, &v, 0), "write");
    count_write(full.size() + value.size());
    overdrawn = overdrawn || used() > options.limit_bytes;
    if (overdrawn) check(MDB_MAP_FULL, "write");
  }

  void count_write(std::size_t bytes) {
    ++wrote.writes;
    wrote.bytes += bytes;
  }

  /// Bytes that the tree takes now, free pages inside of it not counted.
  std::uint64_t used() const {
    MDB_stat stat{};
    check(mdb_stat(in_handler(), dbi, &stat), "ask for the store's size");
    return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
  }

  LmdbOptions options;
  std::vector<std::filesystem::path> to_sync;  ///< Folders that may not be on the disk yet.
  int lock = -1;
  MDB_env* env = nullptr;
  MDB_dbi dbi = 0;
  MDB_txn* txn = nullptr;
  Commit wrote;  ///< By the open transaction.
  bool overdrawn =
      false;  ///< It has written more than there is room for: it must not be committed.
};

/// A cursor that is closed, also when a visitor throws.
struct LmdbStore::Cursor {
  explicit Cursor(const Lmdb& lmdb) {
    lmdb.check(mdb_cursor_open(lmdb.in_handler(), lmdb.dbi, &cursor), "scan");
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
  const std::string key = full_key(kMetaSpace, kIncarnationKey);
  if (const auto kept = lmdb_->read(key)) {
    const auto number = codec::decode<Incarnation>(*kept);
    if (!number) {
      lmdb_->fail("read the disk's incarnation", "the store is damaged; use an empty folder");
    }
    incarnation_ = *number;
    was_empty_ = lmdb_->entries() == 1;
  } else {
    incarnation_ = fresh_incarnation;
    lmdb_->write(key, codec::encode(incarnation_));
  }
  commit();
  if (options.durable) lmdb_->sync_folders();
}

LmdbStore::~LmdbStore() = default;

void LmdbStore::begin() {
  if (lmdb_->txn != nullptr) return;
  lmdb_->check(mdb_txn_begin(lmdb_->env, nullptr, 0, &lmdb_->txn), "begin a transaction");
}

Commit LmdbStore::commit() {
  if (lmdb_->overdrawn) lmdb_->check(MDB_MAP_FULL, "make the writes durable");
  MDB_txn* txn = std::exchange(lmdb_->txn, nullptr);
  const Commit wrote = std::exchange(lmdb_->wrote, {});
  if (txn == nullptr) return {};
  if (wrote.writes == 0) {
    mdb_txn_abort(txn);  // nothing to keep, so nothing to sync
    return {};
  }
  lmdb_->check(mdb_txn_commit(txn), "make the writes durable");
  return wrote;
}

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
  MDB_val k = view_of(full);
  const int code = mdb_del(lmdb_->in_handler(), lmdb_->dbi, &k, nullptr);
  if (code == MDB_NOTFOUND) return;
  lmdb_->check(code, "erase");
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

bool LmdbStore::room(std::size_t bytes) const {
  if (bytes > lmdb_->options.limit_bytes) return false;  // and the sums below cannot overflow
  // A page may be copied for each write, so twice the bytes is what a commit can take.
  const std::uint64_t wanted = 2 * static_cast<std::uint64_t>(bytes) + kReserveBytes;
  if (lmdb_->used() + wanted > lmdb_->options.limit_bytes) return false;
  std::error_code error;
  const auto space = std::filesystem::space(lmdb_->options.folder, error);
  return error || space.available > wanted;
}

}  // namespace dynamo
