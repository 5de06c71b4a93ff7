#include "storage/memory_store.h"

#include <stdexcept>
#include <utility>

namespace dynamo {

namespace {

void check_length(std::string_view what, std::size_t length, std::size_t least, std::size_t most) {
  if (length >= least && length <= most) return;
  throw std::length_error("storage: a " + std::string(what) + " of " + std::to_string(length) +
                          " bytes; it must have " + std::to_string(least) + " to " +
                          std::to_string(most));
}

}  // namespace

void check_storage_names(std::string_view space, std::string_view key) {
  check_length("name of a space", space.size(), 1, kMaxStorageSpaceBytes);
  check_length("key", key.size(), 1, kMaxStorageKeyBytes);
}

void check_no_scan(int scans) {
  if (scans == 0) return;
  throw std::logic_error("storage: a write during a scan; collect first, then write");
}

void MemoryStore::load(std::string space, std::string key, std::string value) {
  spaces_[std::move(space)].insert_or_assign(std::move(key), std::move(value));
}

void MemoryStore::set_room(std::uint64_t room) {
  room_ = room;
  grown_ = 0;
}

std::optional<std::string> MemoryStore::get(std::string_view space, std::string_view key) const {
  const auto in = spaces_.find(space);
  if (in == spaces_.end()) return std::nullopt;
  const auto found = in->second.find(key);
  if (found == in->second.end()) return std::nullopt;
  return found->second;
}

void MemoryStore::put(std::string_view space, std::string_view key, std::string_view value) {
  check_storage_names(space, key);
  check_no_scan(scans_);
  auto in = spaces_.find(space);
  if (in == spaces_.end()) in = spaces_.emplace(space, Space{}).first;
  const auto found = in->second.find(key);
  if (found == in->second.end()) {
    in->second.emplace(key, value);
    grown_ += static_cast<std::int64_t>(key.size() + value.size());
  } else {
    grown_ +=
        static_cast<std::int64_t>(value.size()) - static_cast<std::int64_t>(found->second.size());
    found->second = value;
  }
  if (watcher_ != nullptr) watcher_->wrote(space, key, value);
}

void MemoryStore::erase(std::string_view space, std::string_view key) {
  check_storage_names(space, key);
  check_no_scan(scans_);
  const auto in = spaces_.find(space);
  if (in == spaces_.end()) return;
  const auto found = in->second.find(key);
  if (found == in->second.end()) return;
  // Tell first: `key` may be a view of the very entry that goes.
  if (watcher_ != nullptr) watcher_->erased(space, key);
  grown_ -= static_cast<std::int64_t>(found->first.size() + found->second.size());
  in->second.erase(found);
}

void MemoryStore::scan(std::string_view space, std::string_view from, const Visitor& visit) const {
  const auto in = spaces_.find(space);
  if (in == spaces_.end()) return;
  const ScanCount counted(scans_);
  for (auto entry = in->second.lower_bound(from); entry != in->second.end(); ++entry) {
    if (!visit(entry->first, entry->second)) return;
  }
}

bool MemoryStore::room(std::size_t bytes) const {
  if (grown_ <= 0) return bytes <= room_ || bytes - room_ <= static_cast<std::uint64_t>(-grown_);
  const auto used = static_cast<std::uint64_t>(grown_);
  return used <= room_ && bytes <= room_ - used;
}

}  // namespace dynamo
