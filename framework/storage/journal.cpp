#include "storage/journal.h"

#include <fcntl.h>
#include <unistd.h>

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

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string fixed(std::uint64_t value) {
  std::string bytes;
  codec::Writer(bytes).fixed64(value);
  return bytes;
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

Journal::Journal(const std::filesystem::path& file, bool durable)
    : file_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), durable_(durable) {
  if (file_ < 0) fail("open");
  begin_record();
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
}

void Journal::begin_record() { record_.assign(kHeadBytes, '\0'); }

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
    end_ = at;
  }
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

void Journal::commit() {
  record_.replace(kNumberBytes, kNumberBytes, fixed(record_.size() - kHeadBytes));
  record_.replace(2 * kNumberBytes, kNumberBytes, fixed(number_ + 1));
  const std::string_view checked = std::string_view(record_).substr(kNumberBytes);
  record_.replace(0, kNumberBytes, fixed(hash_of(checked)));
  if (end_ == 0 && ::lseek(file_, 0, SEEK_END) > static_cast<off_t>(kKeptBytes)) {
    if (::ftruncate(file_, static_cast<off_t>(kKeptBytes)) != 0) fail("shorten");
  }
  for (std::size_t have = 0; have < record_.size();) {
    const ssize_t wrote = ::pwrite(file_, record_.data() + have, record_.size() - have,
                                   static_cast<off_t>(end_ + have));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("write");
    have += static_cast<std::size_t>(wrote);
  }
#ifdef __linux__
  const bool synced = !durable_ || ::fdatasync(file_) == 0;
#else
  const bool synced = !durable_ || ::fsync(file_) == 0;
#endif
  if (!synced) fail("sync");
  ++number_;
  end_ += record_.size();
  begin_record();
}

}  // namespace dynamo
