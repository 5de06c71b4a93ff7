// What a file system has free for a store, less what the store has still to write there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include "storage/journal.h"

namespace dynamo {

/// A look at the file system is a tenth of all that a small put costs. So it is asked at most once
/// a transaction, and while the disk syncs once a sync. One thread.
class FreeSpace {
 public:
  /// `instead` takes the file system's place, for tests; empty: nothing does.
  FreeSpace(std::filesystem::path folder, std::function<std::uint64_t()> instead)
      : folder_(std::move(folder)), instead_(std::move(instead)) {}

  /// A transaction begins. Throws what Journal::durable() throws.
  void begin(const Journal& journal) {
    const bool news = journal.durable() != durable_;
    if (news || durable_ == journal.number()) bytes_.reset();
  }

  /// What is left when all that came to the journal is written. The transaction that is under way
  /// counts, and so does what was not durable at the last look.
  std::uint64_t bytes(const Journal& journal) {
    if (!bytes_) {
      durable_ = journal.durable();
      written_ = journal.came() - std::min(journal.came(), journal.unwritten());
      bytes_ = instead_ ? instead_() : look();
    }
    return *bytes_ - std::min(*bytes_, journal.came() - written_);
  }

 private:
  /// Without an answer there is no bound but the store's own.
  std::uint64_t look() const {
    std::error_code error;
    const auto space = std::filesystem::space(folder_, error);
    return error ? std::numeric_limits<std::uint64_t>::max() : space.available;
  }

  const std::filesystem::path folder_;
  const std::function<std::uint64_t()> instead_;
  std::optional<std::uint64_t> bytes_;  ///< At the last look; nothing: it is time for one.
  std::uint64_t durable_ = 0;           ///< Number of the last durable record then.
  std::uint64_t written_ = 0;           ///< Of all that came to the journal, then.
};

}  // namespace dynamo
