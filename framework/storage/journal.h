// What was committed and does not stand in the store's own file yet: transactions, one behind the
// other. To make one durable takes one write and one sync, however many pages of a tree it changes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace dynamo {

/// How the journal's file is made durable, and who is told.
struct JournalOptions {
  /// Makes all that was written to the open file durable: 0, or -1 and errno, as fdatasync. Empty:
  /// nothing is ever durable, for benchmarks that say so. With seal() it runs in another thread.
  std::function<int(int file)> sync;
  /// Called in that other thread whenever durable() has something new to say.
  std::function<void()> news;
};

/// fdatasync, or what the system has in its place.
int sync_file(int file);

/// A file of numbered records, each with a checksum: a crash while one is written leaves it
/// unreadable, and so absent. One user at a time may have the file. A record holds one transaction
/// or more: seal() gives them to a thread that writes and syncs, and what is sealed meanwhile
/// gathers in the next record. That one is begun when the one ahead of it is durable, so that only
/// the last record of a file can ever be unfinished. All methods are for one thread, the owner's.
class Journal {
 public:
  /// A key that was set, or erased.
  using Apply =
      std::function<void(std::string_view key, std::optional<std::string_view> new_value)>;

  /// Opens or makes the file; throws std::system_error.
  Journal(const std::filesystem::path& file, JournalOptions options);
  /// Waits for the record that is being written; what was sealed after it is lost, as in a crash.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Comes first and once. Gives `apply` the writes of all transactions after number `applied`, in
  /// order. Returns what is wrong with the file, or nothing: a last record that was not written to
  /// its end is right, a damaged one before others, or one that is missing, is not.
  std::string replay(std::uint64_t applied, const Apply& apply);

  // A transaction: its writes in order, then seal() or commit(), or nothing of it.
  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);

  /// Ends the transaction, and returns the number of the record that will hold it: it is durable
  /// once durable() says so. Waits while too much has gathered. Throws std::system_error if an
  /// earlier record could not be written or synced, after which the journal is of no use.
  std::uint64_t seal();

  /// Of the last record that is durable; all before it are. Throws as seal() does.
  std::uint64_t durable() const;

  /// All that was sealed is durable then. Throws as seal() does.
  void wait();

  /// seal() and wait(); alone, it needs no second thread.
  void commit();

  /// Everything until now stands elsewhere, durable: the file is written from its beginning again.
  /// Only after commit() or wait().
  void restart();

  /// Of the record with the last transaction that was sealed.
  std::uint64_t number() const { return number_; }

  /// What restart() would set free: all that was sealed since the last one.
  std::uint64_t bytes() const { return bytes_; }

  /// All bytes that ever came, the transaction in the making included.
  std::uint64_t came() const { return came_ + record_.size(); }

  /// Of those: what may not stand in the file yet.
  std::uint64_t unwritten() const;

 private:
  void work();
  void write(std::string& record, std::uint64_t number, std::uint64_t at);
  void grow(std::uint64_t end);
  void check() const;  ///< With the mutex held.

  int file_ = -1;
  const JournalOptions options_;
  std::uint64_t number_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t came_ = 0;
  std::string record_;            ///< In the making; room for a head comes first.
  std::uint64_t file_bytes_ = 0;  ///< The file's length; for whoever writes, one at a time.

  mutable std::mutex mutex_;  ///< Of all that follows; not held while something is written.
  mutable std::condition_variable wake_;  ///< Something was sealed, was made durable, or the end.
  std::string sealed_;                    ///< The next record; empty: none.
  std::uint64_t writing_ = 0;             ///< Bytes of the record that is being written.
  std::uint64_t begun_ = 0;               ///< Number of the last record that was begun.
  std::uint64_t durable_ = 0;
  std::uint64_t end_ = 0;  ///< Where the next record goes.
  int error_ = 0;          ///< Why a record could not be made durable.
  bool ending_ = false;
  std::thread thread_;  ///< From the first seal() on.
};

}  // namespace dynamo
