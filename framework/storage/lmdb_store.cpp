#include "storage/lmdb_store.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/codec.h"
#include "storage/memory_store.h"

namespace dynamo {

namespace {

/// Our own facts about the disk; no module can name this space, for it is longer than allowed.
const std::string kMetaSpace(kMaxStorageSpaceBytes + 1, '\x01');
constexpr std::string_view kIncarnationKey = "incarnation";

/// Pages that a commit of deletes may need although the store is full (LMDB copies on write).
constexpr std::uint64_t kReserveBytes = 256 << 10;

MDB_val view_of(std::string_view bytes) {
  return {bytes.size(),
          const_cast<char*>(bytes.data())};  // NOLINT: LMDB's C interface is not const
}
std::string_view view_of(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
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

  void make_folder() const {
    std::error_code error;
    std::filesystem::create_directories(options.folder, error);
    if (error)
      fail("make the folder", error.message() + "; give --data a folder that you may write to");
  }

  /// LMDB would let a second process in; two nodes on one disk would be one node too many.
  void take_lock() {
    const std::string path = (options.folder / "lock").string();
    lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) fail("open " + path, std::strerror(errno));
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
      fail("use the folder", "another process uses it; give each node a --data folder of its own");
    }
  }

  void open() {
    check(mdb_env_create(&env), "start LMDB");
    check(mdb_env_set_mapsize(env, options.limit_bytes), "set the store's limit");
    // NOLOCK: we hold a lock of our own, and have one thread.
    const unsigned flags = MDB_NOLOCK | MDB_NOMEMINIT | (options.durable ? 0 : MDB_NOSYNC);
    check(mdb_env_open(env, options.folder.c_str(), flags, 0600), "open the store");
    check(mdb_txn_begin(env, nullptr, 0, &txn), "begin a transaction");
    check(mdb_dbi_open(txn, nullptr, 0, &dbi), "open the store's table");
  }

  /// Bytes that the tree takes now, free pages inside of it not counted.
  std::uint64_t used() const {
    MDB_stat stat{};
    check(mdb_stat(txn, dbi, &stat), "ask for the store's size");
    return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
  }

  LmdbOptions options;
  int lock = -1;
  MDB_env* env = nullptr;
  MDB_dbi dbi = 0;
  MDB_txn* txn = nullptr;
  bool dirty = false;  ///< The open transaction has written something.
};

LmdbStore::LmdbStore(const LmdbOptions& options, Incarnation fresh_incarnation)
    : lmdb_(std::make_unique<Lmdb>(options)) {
  lmdb_->make_folder();
  lmdb_->take_lock();
  lmdb_->open();
  if (const auto kept = get(kMetaSpace, kIncarnationKey)) {
    const auto number = codec::decode<Incarnation>(*kept);
    if (!number)
      lmdb_->fail("read the disk's incarnation", "the store is damaged; use an empty folder");
    incarnation_ = *number;
  } else {
    incarnation_ = fresh_incarnation;
    const std::string bytes = codec::encode(incarnation_);
    const std::string key = full_key(kMetaSpace, kIncarnationKey);
    MDB_val k = view_of(key);
    MDB_val v = view_of(bytes);
    lmdb_->check(mdb_put(lmdb_->txn, lmdb_->dbi, &k, &v, 0), "write the disk's incarnation");
    lmdb_->dirty = true;
  }
  commit();
}

LmdbStore::~LmdbStore() = default;

void LmdbStore::begin() {
  if (lmdb_->txn != nullptr) return;
  lmdb_->check(mdb_txn_begin(lmdb_->env, nullptr, 0, &lmdb_->txn), "begin a transaction");
}

bool LmdbStore::commit() {
  MDB_txn* txn = std::exchange(lmdb_->txn, nullptr);
  const bool wrote = std::exchange(lmdb_->dirty, false);
  if (txn == nullptr) return false;
  if (!wrote) {
    mdb_txn_abort(txn);  // nothing to keep, so nothing to sync
    return false;
  }
  lmdb_->check(mdb_txn_commit(txn), "make the writes durable");
  return true;
}

std::optional<std::string> LmdbStore::get(std::string_view space, std::string_view key) const {
  const std::string full = full_key(space, key);
  MDB_val k = view_of(full);
  MDB_val v{};
  const int code = mdb_get(lmdb_->txn, lmdb_->dbi, &k, &v);
  if (code == MDB_NOTFOUND) return std::nullopt;
  lmdb_->check(code, "read");
  return std::string(view_of(v));
}

void LmdbStore::put(std::string_view space, std::string_view key, std::string_view value) {
  check_storage_names(space, key);
  const std::string full = full_key(space, key);
  MDB_val k = view_of(full);
  MDB_val v = view_of(value);
  lmdb_->check(mdb_put(lmdb_->txn, lmdb_->dbi, &k, &v, 0), "write");
  lmdb_->dirty = true;
}

void LmdbStore::erase(std::string_view space, std::string_view key) {
  const std::string full = full_key(space, key);
  MDB_val k = view_of(full);
  const int code = mdb_del(lmdb_->txn, lmdb_->dbi, &k, nullptr);
  if (code == MDB_NOTFOUND) return;
  lmdb_->check(code, "erase");
  lmdb_->dirty = true;
}

void LmdbStore::scan(std::string_view space, std::string_view from, const Visitor& visit) const {
  struct Cursor {
    MDB_cursor* cursor = nullptr;
    Cursor() = default;
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    ~Cursor() {
      if (cursor != nullptr) mdb_cursor_close(cursor);
    }
  } open;
  lmdb_->check(mdb_cursor_open(lmdb_->txn, lmdb_->dbi, &open.cursor), "scan");
  const std::string prefix = full_key(space, "");
  const std::string first = full_key(space, from);
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
  // A page may be copied for each write, so twice the bytes is what a commit can take.
  const std::uint64_t wanted = 2 * static_cast<std::uint64_t>(bytes) + kReserveBytes;
  if (lmdb_->used() + wanted > lmdb_->options.limit_bytes) return false;
  std::error_code error;
  const auto space = std::filesystem::space(lmdb_->options.folder, error);
  return error || space.available > wanted;
}

}  // namespace dynamo
