// sandbox-launcher: gives up what an untrusted program must not have, and becomes that program. The
// process stays the same one: number, descriptors, place in the tree.
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "sandbox/filter.h"
#include "sandbox/landlock.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not declared everywhere

namespace dynamo::sandbox {
namespace {

constexpr int kTrouble = 125;  ///< As of env and timeout: the launcher's own failure.

constexpr std::string_view kUsage =
    "usage: sandbox-launcher --profile host|node|build [OPTION VALUE]… -- PROGRAM [ARGUMENT]…\n"
    "       sandbox-launcher --landlock-version true | --sweep UID\n"
    "  --uid N              become this user, of no group but the one of the same number\n"
    "  --read|--run|--write PATH   Landlock: only these are to be reached (may be repeated)\n"
    "  --cpu-s --data-bytes --file-bytes --processes --files N   limits, as setrlimit has them\n"
    "  --tell-pid FD        say on this socket who we are, by its credentials, and what goes "
    "wrong;\n"
    "                       it closes when the program begins\n"
    "  --parent PID         end with this process, whose child we are\n"
    "  --keep FD            this descriptor, too, stays open (may be repeated); 0 to 2 do\n"
    "  --env NAME=VALUE     the program's environment is empty but for these\n"
    "  --folder PATH        work there\n";

struct Options {
  std::optional<Profile> profile;
  std::optional<uid_t> uid;
  std::vector<Reach> reaches;
  std::vector<std::pair<int, rlim_t>> limits;
  std::vector<int> kept;
  std::vector<std::string> environment;
  std::string folder;
  int tell = -1;
  pid_t parent = 0;
  char** program = nullptr;
};

struct BadArguments : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::uint64_t number(const std::string& option, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw BadArguments(option + " needs a number, not \"" + std::string(text) + "\"");
  }
  return value;
}

Profile profile_called(std::string_view name) {
  if (name == "host") return Profile::host;
  if (name == "node") return Profile::node;
  if (name == "build") return Profile::build;
  throw BadArguments("--profile " + std::string(name) + ": there are host, node and build");
}

const std::map<std::string_view, Reach::Right> kReaches = {
    {"--read", Reach::Right::read}, {"--run", Reach::Right::run}, {"--write", Reach::Right::write}};

const std::map<std::string_view, int> kLimits = {{"--cpu-s", RLIMIT_CPU},
                                                 {"--data-bytes", RLIMIT_DATA},
                                                 {"--file-bytes", RLIMIT_FSIZE},
                                                 {"--processes", RLIMIT_NPROC},
                                                 {"--files", RLIMIT_NOFILE}};

void take(Options& options, const std::string& option, const char* value) {
  if (const auto reach = kReaches.find(option); reach != kReaches.end()) {
    options.reaches.push_back({reach->second, value});
  } else if (const auto limit = kLimits.find(option); limit != kLimits.end()) {
    options.limits.emplace_back(limit->second, number(option, value));
  } else if (option == "--profile") {
    options.profile = profile_called(value);
  } else if (option == "--uid") {
    options.uid = static_cast<uid_t>(number(option, value));
  } else if (option == "--tell-pid") {
    options.tell = static_cast<int>(number(option, value));
  } else if (option == "--parent") {
    options.parent = static_cast<pid_t>(number(option, value));
  } else if (option == "--keep") {
    options.kept.push_back(static_cast<int>(number(option, value)));
  } else if (option == "--env") {
    options.environment.emplace_back(value);
  } else if (option == "--folder") {
    options.folder = value;
  } else {
    throw BadArguments("unknown option " + option);
  }
}

Options parse(int argc, char** argv) {
  Options options;
  int at = 1;
  for (; at < argc && std::strcmp(argv[at], "--") != 0; at += 2) {
    if (at + 1 == argc) throw BadArguments(std::string(argv[at]) + " needs a value");
    take(options, argv[at], argv[at + 1]);
  }
  if (at + 1 >= argc) throw BadArguments("-- PROGRAM is missing");
  if (!options.profile) throw BadArguments("--profile is missing");
  options.program = argv + at + 1;
  return options;
}

[[noreturn]] void trouble(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void become(uid_t uid) {
  if (setgroups(0, nullptr) != 0) trouble("setgroups");
  if (setresgid(uid, uid, uid) != 0) trouble("setresgid");
  if (setresuid(uid, uid, uid) != 0) trouble("setresuid");
  if (uid != 0 && setuid(0) == 0) throw std::runtime_error("the way back to root is still open");
}

/// Descriptors that somebody forgot to close must not reach the program: who knows what they are.
void close_others(const std::vector<int>& kept) {
  // At its start: we need some of them until then.
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) trouble("close_range");
  for (const int fd : kept) {
    if (fcntl(fd, F_SETFD, 0) != 0) trouble("--keep " + std::to_string(fd));
  }
}

void end_with(pid_t parent) {
  // Only now: a change of user takes it back.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) trouble("PR_SET_PDEATHSIG");
  if (getppid() != parent) _exit(kTrouble);
}

void tell_who_we_are(int socket) {
  if (send(socket, "!", 1, MSG_NOSIGNAL) != 1) trouble("--tell-pid");
  fcntl(socket, F_SETFD, FD_CLOEXEC);  // its end says that the program has begun
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  all.reserve(words.size() + 1);
  for (const std::string& word : words) all.push_back(const_cast<char*>(word.c_str()));
  all.push_back(nullptr);
  return all;
}

[[noreturn]] void launch(const Options& options) {
  // What the new user could not open is opened first.
  const int program = open(options.program[0], O_RDONLY | O_CLOEXEC);
  if (program < 0) trouble(options.program[0]);
  const int ruleset = options.reaches.empty() ? -1 : make_ruleset(options.reaches);
  const std::vector<char*> environment = pointers(options.environment);
  for (const auto& [what, most] : options.limits) {
    const rlimit limit{most, most};
    if (setrlimit(what, &limit) != 0) trouble("setrlimit");
  }
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  umask(022);
  if (options.uid) become(*options.uid);
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) trouble(options.folder);
  if (options.parent > 0) end_with(options.parent);
  if (options.tell >= 0) tell_who_we_are(options.tell);
  close_others(options.kept);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) trouble("PR_SET_NO_NEW_PRIVS");
  if (ruleset >= 0) enforce(ruleset);
  static const char kOurselves[] = "";  // execveat: the descriptor itself
  restrict_calls(*options.profile, kOurselves);
  execveat(program, kOurselves, options.program, environment.data(), AT_EMPTY_PATH);
  trouble(options.program[0]);
}

/// Everything that runs as this user ends: what a slot has left behind. Root's alone.
int sweep(uid_t uid) {
  if (uid < 1000) throw BadArguments("--sweep: this is a user of the system's");
  become(uid);
  // To all that we may, but ourselves.
  if (kill(-1, SIGKILL) != 0 && errno != ESRCH) trouble("kill");
  return 0;
}

}  // namespace
}  // namespace dynamo::sandbox

int main(int argc, char** argv) {
  using namespace dynamo::sandbox;
  try {
    const std::string first = argc == 3 ? argv[1] : "";
    if (first == "--landlock-version") {
      std::printf("%d\n", landlock_version());
      return 0;
    }
    if (first == "--sweep") return sweep(static_cast<uid_t>(number(first, argv[2])));
    const Options options = parse(argc, argv);
    try {
      launch(options);
    } catch (const std::exception& error) {
      if (options.tell >= 0) send(options.tell, error.what(), strlen(error.what()), MSG_NOSIGNAL);
      throw;
    }
  } catch (const BadArguments& error) {
    std::fprintf(stderr, "sandbox-launcher: %s\n%s", error.what(), std::string(kUsage).c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sandbox-launcher: %s\n", error.what());
  }
  return kTrouble;
}
