#include "storage/journal.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/codec.h"
#include "core/keys.h"

namespace dynamo {

namespace {

// A record: checksum of all that follows, bytes of the writes, number; the writes.
constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kHeadBytes = 3 * kNumberBytes;
/// What a file may keep of a rush, after it.
constexpr std::uint64_t kKeptBytes = 64u << 20;
/// As much may gather while a record is written and synced; whoever seals more waits.
constexpr std::size_t kMostGathered = 8u << 20;
/// What a buffer may keep of a rush, after it.
constexpr std::size_t kKeptBuffer = 1u << 20;
/// A file that grows does so by a quarter, within these bounds.
constexpr std::uint64_t kLeastGrowth = 64u << 10;
constexpr std::uint64_t kMostGrowth = 1u << 20;
/// With less than this free on the file system it does not: others need what is left.
constexpr std::uint64_t kRoomToGrow = 64u << 20;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// False and errno if not all of it could be written.
bool write_bytes(int file, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
    at += static_cast<std::uint64_t>(wrote);
  }
  return true;
}

/// Writes over what stands at `at`.
void set_number(std::string& record, std::size_t at, std::uint64_t value) {
  std::string bytes;
  codec::Writer(bytes).fixed64(value);
  std::copy(bytes.begin(), bytes.end(), record.begin() + static_cast<std::ptrdiff_t>(at));
}

/// Ready for the writes of the next transaction.
void begin_record(std::string& record) {
  if (record.capacity() > kKeptBuffer) record = {};
  record.assign(kHeadBytes, '\0');
}

struct Record {
  std::uint64_t number = 0;
  std::string_view writes;
  std::uint64_t bytes = 0;  ///< With its head.
  bool whole = false;       ///< And its checksum is right.
};

std::uint64_t number_in_head(std::string_view head) {
  return codec::Reader(head.substr(2 * kNumberBytes, kNumberBytes)).fixed64();
}

/// Nothing if not even a head is there, or the length leads out of `rest`.
std::optional<Record> record_at(std::string_view rest) {
  if (rest.size() < kHeadBytes) return std::nullopt;
  codec::Reader head(rest.substr(0, kHeadBytes));
  const std::uint64_t checksum = head.fixed64();
  const std::uint64_t length = head.fixed64();
  if (length > rest.size() - kHeadBytes) return std::nullopt;
  const std::uint64_t bytes = kHeadBytes + length;
  const std::string_view checked = rest.substr(kNumberBytes, bytes - kNumberBytes);
  return Record{number_in_head(rest), rest.substr(kHeadBytes, length), bytes,
                hash_of(checked) == checksum};
}

/// False if they are malformed, which a right checksum rules out.
bool apply_writes(std::string_view writes, const Journal::Apply& apply) {
  codec::Reader in(writes);
  while (in.ok() && !in.at_end()) {
    const bool set = in.number() == 1;
    const std::string_view key = in.bytes();
    const std::string_view value = set ? in.bytes() : std::string_view();
    if (!in.ok()) break;
    apply(key, set ? std::optional(value) : std::nullopt);
  }
  return in.at_end();
}

/// The number of any whole record in `bytes` that is greater than `number`; there should be none.
std::optional<std::uint64_t> number_behind(std::string_view bytes, std::uint64_t number) {
  constexpr std::uint64_t kMost = 1u << 30;  // more transactions than any file holds
  for (; bytes.size() >= kHeadBytes; bytes.remove_prefix(1)) {
    const std::uint64_t found = number_in_head(bytes);
    if (found <= number || found > number + kMost) continue;
    const auto record = record_at(bytes);
    if (record && record->whole) return found;
  }
  return std::nullopt;
}

}  // namespace

int sync_file(int file) {
#ifdef __linux__
  return ::fdatasync(file);
#else
  return ::fsync(file);
#endif
}

Journal::Journal(const std::filesystem::path& file, JournalOptions options)
    : file_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
      options_(std::move(options)) {
  if (file_ < 0) fail("open");
  begin_record(record_);
}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (file_ >= 0) ::close(file_);
}

std::string Journal::replay(std::uint64_t applied, const Apply& apply) {
  const off_t size = ::lseek(file_, 0, SEEK_END);
  if (size < 0) fail("read");
  std::string content(static_cast<std::size_t>(size), '\0');
  for (std::size_t have = 0; have < content.size();) {
    const ssize_t got =
        ::pread(file_, content.data() + have, content.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("read");
    have += static_cast<std::size_t>(got);
  }
  number_ = applied;
  file_bytes_ = content.size();
  std::uint64_t at = 0;
  while (true) {
    const auto record = record_at(std::string_view(content).substr(at));
    if (!record || !record->whole || record->number > number_ + 1) break;
    at += record->bytes;
    if (record->number <= number_) continue;  // from before the last restart()
    if (!apply_writes(record->writes, apply)) {
      return "record " + std::to_string(record->number) + " is malformed";
    }
    number_ = record->number;
    bytes_ = at;
  }
  const std::lock_guard lock(mutex_);
  begun_ = durable_ = number_;
  end_ = bytes_;
  // The last record may be unfinished, but none is begun before the one ahead of it is finished.
  const auto later = number_behind(std::string_view(content).substr(at), number_);
  if (!later) return "";
  return "a record before number " + std::to_string(*later) + " is missing or cannot be read";
}

void Journal::put(std::string_view key, std::string_view value) {
  codec::Writer out(record_);
  out.number(1);
  out.bytes(key);
  out.bytes(value);
}

void Journal::erase(std::string_view key) {
  codec::Writer out(record_);
  out.number(0);
  out.bytes(key);
}

std::uint64_t Journal::seal() {
  if (!options_.sync) {
    commit();
    return number_;
  }
  const std::uint64_t added = record_.size() - kHeadBytes;
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return sealed_.size() < kMostGathered || error_ != 0; });
  check();
  if (sealed_.empty()) {
    std::swap(sealed_, record_);
    number_ = begun_ + 1;
    bytes_ += kHeadBytes;
  } else {
    sealed_.append(record_, kHeadBytes);
  }
  lock.unlock();
  wake_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  came_ += added;
  bytes_ += added;
  begin_record(record_);
  return number_;
}

void Journal::work() {
  std::string record;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return ending_ || !sealed_.empty(); });
    if (ending_) return;
    record.clear();
    std::swap(record, sealed_);
    writing_ = record.size();
    const std::uint64_t number = ++begun_;
    const std::uint64_t at = end_;
    lock.unlock();
    int error = 0;
    try {
      write(record, number, at);
    } catch (const std::system_error& thrown) {
      error = thrown.code().value();
    }
    lock.lock();
    writing_ = 0;
    error_ = error;
    if (error == 0) {
      durable_ = number;
      end_ += record.size();
    }
    if (record.capacity() > kKeptBuffer) record = {};
    lock.unlock();
    wake_.notify_all();
    if (options_.news) options_.news();
    lock.lock();
    if (error != 0) return;
  }
}

void Journal::commit() {
  if (thread_.joinable()) {
    seal();
    return wait();
  }
  // Nobody else is there to be kept out.
  write(record_, begun_ + 1, end_);
  number_ = durable_ = ++begun_;
  end_ += record_.size();
  came_ += record_.size() - kHeadBytes;
  bytes_ += record_.size();
  begin_record(record_);
}

void Journal::write(std::string& record, std::uint64_t number, std::uint64_t at) {
  set_number(record, kNumberBytes, record.size() - kHeadBytes);
  set_number(record, 2 * kNumberBytes, number);
  set_number(record, 0, hash_of(std::string_view(record).substr(kNumberBytes)));
  if (at == 0 && file_bytes_ > kKeptBytes) {
    if (::ftruncate(file_, static_cast<off_t>(kKeptBytes)) != 0) fail("shorten");
    file_bytes_ = kKeptBytes;
  }
  if (!write_bytes(file_, record, at)) fail("write");
  const std::uint64_t end = at + record.size();
  if (options_.sync && end > file_bytes_) grow(end);
  file_bytes_ = std::max(file_bytes_, end);
  if (options_.sync && options_.sync(file_) != 0) fail("sync");
}

/// A sync of a file that has become longer writes where its blocks lie, too, which nearly doubles
/// what it costs. So the file gets its next bytes long before they are needed.
void Journal::grow(std::uint64_t end) {
  struct statvfs space {};
  if (::fstatvfs(file_, &space) != 0) return;
  if (std::uint64_t{space.f_bavail} * space.f_frsize < kRoomToGrow) return;
  const std::string zeros(std::clamp(end / 4, kLeastGrowth, kMostGrowth), '\0');
  // If the disk has no room for them, it is slower, and no less right.
  if (write_bytes(file_, zeros, end)) file_bytes_ = end + zeros.size();
}

void Journal::check() const {
  if (error_ != 0) throw std::system_error(error_, std::generic_category(), "write");
}

std::uint64_t Journal::durable() const {
  const std::lock_guard lock(mutex_);
  check();
  return durable_;
}

void Journal::wait() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return durable_ == number_ || error_ != 0; });
  check();
}

void Journal::restart() {
  const std::lock_guard lock(mutex_);
  end_ = bytes_ = 0;
}

std::uint64_t Journal::unwritten() const {
  const std::lock_guard lock(mutex_);
  return record_.size() + sealed_.size() + writing_;
}

}  // namespace dynamo
