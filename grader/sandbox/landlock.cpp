#include "sandbox/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace dynamo::sandbox {

namespace {

// linux/landlock.h, as of version 7: the header of an older system does not have all of it.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1;

constexpr std::uint64_t kExecute = 1u << 0;
constexpr std::uint64_t kWriteFile = 1u << 1;
constexpr std::uint64_t kReadFile = 1u << 2;
constexpr std::uint64_t kReadFolder = 1u << 3;
constexpr std::uint64_t kFirstVersion = (1u << 13) - 1;  // up to making a symbolic link
constexpr std::uint64_t kRefer = 1u << 13;               // 2: rename between folders
constexpr std::uint64_t kTruncate = 1u << 14;            // 3
constexpr std::uint64_t kDeviceControl = 1u << 15;       // 5
constexpr std::uint64_t kBindAndConnectTcp = 3;          // 4
constexpr std::uint64_t kAbstractAndSignals = 3;         // 6
constexpr std::uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceControl;

struct Ruleset {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};

struct [[gnu::packed]] Beneath {
  std::uint64_t allowed;
  std::int32_t parent;
};

[[noreturn]] void trouble(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::uint64_t file_rights(int version) {
  std::uint64_t rights = kFirstVersion;
  if (version >= 2) rights |= kRefer;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kDeviceControl;
  return rights;
}

std::uint64_t rights_of(Reach::Right right, std::uint64_t all) {
  if (right == Reach::Right::read) return kReadFile | kReadFolder;
  if (right == Reach::Right::run) return kReadFile | kReadFolder | kExecute;
  return all & ~(kExecute | kDeviceControl);
}

void allow(int ruleset, const Reach& reach, std::uint64_t all) {
  const int fd = open(reach.path.c_str(), O_PATH | O_CLOEXEC);
  struct stat file {};
  if (fd < 0 || fstat(fd, &file) != 0) trouble(reach.path);
  Beneath rule{rights_of(reach.right, all), fd};
  if (!S_ISDIR(file.st_mode)) rule.allowed &= kOfFiles;
  const long done = syscall(kAddRule, ruleset, kPathBeneath, &rule, 0);
  const int error = errno;
  close(fd);
  errno = error;
  if (done != 0) trouble("landlock_add_rule(" + reach.path + ")");
}

}  // namespace

int landlock_version() {
  const long version = syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  return version > 0 ? static_cast<int>(version) : 0;
}

int make_ruleset(const std::vector<Reach>& reaches) {
  const int version = landlock_version();
  const std::uint64_t all = file_rights(version);
  Ruleset rules{all, version >= 4 ? kBindAndConnectTcp : 0, version >= 6 ? kAbstractAndSignals : 0};
  // An older kernel takes a shorter struct only.
  const std::size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  const auto ruleset = static_cast<int>(syscall(kCreateRuleset, &rules, size, 0));
  if (ruleset < 0) trouble("landlock_create_ruleset");
  for (const Reach& reach : reaches) allow(ruleset, reach, all);
  return ruleset;
}

void enforce(int ruleset) {
  if (syscall(kRestrictSelf, ruleset, 0) != 0) trouble("landlock_restrict_self");
  close(ruleset);
}

}  // namespace dynamo::sandbox
