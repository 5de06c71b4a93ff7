// What was committed and does not stand in the store's own file yet: transactions, one behind the
// other. To make one durable takes one write and one sync, however many pages of a tree it changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo {

/// A file of numbered records, each with a checksum: a crash while one is written leaves it
/// unreadable, and so absent. One thread; nobody else may use the file.
class Journal {
 public:
  /// A key that was set, or erased.
  using Apply =
      std::function<void(std::string_view key, std::optional<std::string_view> new_value)>;

  /// Opens or makes the file; throws std::system_error. With `durable` false there is no sync.
  Journal(const std::filesystem::path& file, bool durable);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Comes first and once. Gives `apply` the writes of all transactions after number `applied`, in
  /// order. Returns what is wrong with the file, or nothing: a last record that was not written to
  /// its end is right, a damaged one before others, or one that is missing, is not.
  std::string replay(std::uint64_t applied, const Apply& apply);

  // A transaction: its writes in order, then commit(), or nothing of it.
  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);

  /// The writes since the last commit() are durable then. Throws std::system_error, after which
  /// the journal is of no use.
  void commit();

  /// Everything until now stands elsewhere, durable: the file is written from its beginning again.
  void restart() { end_ = 0; }

  /// Of the last transaction.
  std::uint64_t number() const { return number_; }

  /// What restart() would set free.
  std::uint64_t bytes() const { return end_; }

 private:
  void begin_record();

  int file_ = -1;
  const bool durable_;
  std::uint64_t number_ = 0;
  std::uint64_t end_ = 0;  ///< Where the next record goes.
  std::string record_;     ///< In the making; room for its head comes first.
};

}  // namespace dynamo
