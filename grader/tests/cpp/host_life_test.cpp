// What a host leaves behind: nothing. And what it finds: modules that depend on what they must not
// see.
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <set>
#include <thread>

#include "host_fixture.h"
#include "sim/host_process.h"

namespace dynamo::sim {
namespace {

/// Waits for what another process does; the deadline is generous, the machine may be busy.
template <class Condition>
bool soon(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

bool gone(pid_t process) { return kill(process, 0) != 0 && errno == ESRCH; }

std::string deed(Host& host, const std::string& what) {
  host.make(0, setup_of("n1"), {}, kPlenty);
  Handled handled;
  invoke<&Warmup::ping>(host, 0, at_ms(1), &handled, what);
  const std::vector<std::string> notes = notes_of(handled);
  return notes.empty() ? "" : notes.front();
}

#ifdef __linux__
std::set<std::string> open_descriptors() {
  std::set<std::string> found;
  DIR* folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder)) found.insert(entry->d_name);
  closedir(folder);
  return found;
}

TEST(HostLife, descriptors_and_children_are_given_back) {
  const std::set<std::string> before = open_descriptors();
  for (const Transport transport : {Transport::futex, Transport::portable, Transport::apart}) {
    for (int i = 0; i < 3; ++i) {
      const auto host = start_process_host(options_for(HOSTILE_HOST, transport));
      host->make(0, setup_of("n1"), {}, kPlenty);
      EXPECT_THROW(invoke<&Warmup::ping>(*host, 0, at_ms(1), nullptr, std::string("exit")),
                   SolutionDied);
      host->make(0, setup_of("n1"), {}, kPlenty);
      host->start(0, at_ms(1), false);
      EXPECT_EQ(host->exchange().size(), 1U);
    }
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no child, dead or alive";
  EXPECT_EQ(errno, ECHILD);
}
#endif

TEST(HostLife, children_of_a_solution_go_with_it) {
  pid_t child = 0;
  {
    const auto host = start_process_host(options_for(HOSTILE_HOST));
    child = std::stoi(deed(*host, "fork"));
    ASSERT_GT(child, 0);
    EXPECT_FALSE(gone(child));
  }
  // Nobody but init reaps it, where there is one: a zombie does no harm.
  EXPECT_TRUE(soon([&] {
    if (gone(child)) return true;
    char state = '?';
    std::FILE* file = std::fopen(("/proc/" + std::to_string(child) + "/stat").c_str(), "r");
    if (file == nullptr) return true;
    const int read = std::fscanf(file, "%*d %*s %c", &state);
    std::fclose(file);
    return read == 1 && state == 'Z';
  }));
}

class Orphan : public testing::TestWithParam<Transport> {};

TEST_P(Orphan, host_ends_with_its_parent) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    HostProcess host(options_for(PLAIN_HOST, GetParam()));
    while (host.mailbox().board().serving.load() == 0) std::this_thread::yield();
    const pid_t id = host.id();
    [[maybe_unused]] const auto written = write(report[1], &id, sizeof(id));
    pause();
  }
  close(report[1]);
  pid_t host = 0;
  ASSERT_EQ(read(report[0], &host, sizeof(host)), static_cast<ssize_t>(sizeof(host)));
  close(report[0]);
  EXPECT_FALSE(gone(host));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(soon([&] {
    if (gone(host)) return true;
    char state = '?';
    std::FILE* file = std::fopen(("/proc/" + std::to_string(host) + "/stat").c_str(), "r");
    if (file == nullptr) return true;
    const int fields = std::fscanf(file, "%*d %*s %c", &state);
    std::fclose(file);
    return fields == 1 && state == 'Z';
  }));
}

INSTANTIATE_TEST_SUITE_P(, Orphan, every_transport(), transport_name);

TEST(HostLife, missing_binary_is_the_graders_trouble) {
  EXPECT_THROW(start_process_host(options_for("/nonexistent/dynamo-node")), GraderTrouble);
}

TEST(HostLife, binary_that_is_no_program_is_the_graders_trouble) {
  char name[] = "/tmp/dynamo-no-program-XXXXXX";
  const int fd = mkstemp(name);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(write(fd, "\x7f nonsense", 10), 10);
  EXPECT_EQ(fchmod(fd, 0700), 0);
  close(fd);
  const auto host = start_process_host(options_for(name));
  host->make(0, setup_of("n1"), {}, kPlenty);
  EXPECT_THROW(host->exchange(), GraderTrouble);
  unlink(name);
}

TEST(HostLife, allocations_of_handlers_are_counted) {
#ifdef HOSTS_ARE_SANITIZED
  GTEST_SKIP() << "the sanitizer has its own heap";
#endif
  const auto host = start_process_host(options_for(HOSTILE_HOST));
  deed(*host, "nothing much");
  const std::uint64_t little = host->allocations();
  deed(*host, "allocate");
  EXPECT_LT(little, 50U);
  EXPECT_GE(host->allocations(), 1000U);
  EXPECT_LT(host->allocations(), 1200U);
}

TEST(HostLife, perturbed_heap_shows_dependence_on_addresses_and_rubbish) {
#ifdef HOSTS_ARE_SANITIZED
  GTEST_SKIP() << "the sanitizer has its own heap";
#endif
  const auto plain = start_process_host(options_for(HOSTILE_HOST));
  ProcessOptions options = options_for(HOSTILE_HOST);
  options.perturb = true;
  const auto perturbed = start_process_host(options);
  for (const char* what : {"by address", "uninitialised heap", "uninitialised stack"}) {
    EXPECT_NE(deed(*plain, what), deed(*perturbed, what)) << what;
  }
  EXPECT_EQ(deed(*plain, "many effects"), deed(*perturbed, "many effects"));
}

TEST(HostLife, long_note_is_cut) {
  const auto host = start_process_host(options_for(HOSTILE_HOST));
  EXPECT_EQ(deed(*host, "huge note").size(), 4096U);
}

}  // namespace
}  // namespace dynamo::sim
