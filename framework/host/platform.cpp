#include "host/platform.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#ifdef __linux__
#include <dlfcn.h>
#include <link.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <csignal>
#endif
#ifdef __APPLE__
#include <libproc.h>
#include <mach-o/dyld.h>
#include <mach/mach_time.h>
#include <sys/ucontext.h>
#endif

// Null unless the sanitizer's runtime is linked in; all parts of the program need not be built with
// it.
// NOLINTBEGIN(bugprone-reserved-identifier): the runtimes' names.
extern "C" {
__attribute__((weak)) void __asan_init();
__attribute__((weak)) void __tsan_init();
}
// NOLINTEND(bugprone-reserved-identifier)

namespace dynamo::host::platform {

bool has_sanitizer() { return &__asan_init != nullptr || &__tsan_init != nullptr; }

#ifdef __linux__

bool has_futex() { return true; }

void sleep_on(std::atomic<std::uint32_t>& word, std::uint32_t seen,
              std::chrono::milliseconds slice) {
  static_assert(sizeof(word) == sizeof(std::uint32_t), "a futex is a plain 32-bit word");
  const timespec limit{static_cast<time_t>(slice.count() / 1000),
                       static_cast<long>(slice.count() % 1000 * 1'000'000)};
  syscall(SYS_futex, &word, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

void wake(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

int make_shared_memory(std::size_t bytes) {
  const int fd = memfd_create("dynamo-host", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  // Sealed: a solution that made it shorter would end whoever else reads there, with SIGBUS.
  if (fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

int make_scratch_file() {
  const int fd = memfd_create("dynamo-host-words", MFD_CLOEXEC);
  if (fd >= 0) fcntl(fd, F_SETFL, O_APPEND);
  return fd;
}

void die_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

bool pin_to(int cpu) {
  if (cpu < 0 || cpu >= CPU_SETSIZE) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

std::optional<std::chrono::nanoseconds> cpu_time(pid_t process) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::uintptr_t program_base() {
  std::uintptr_t base = 0;
  // The program itself comes first.
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        *static_cast<std::uintptr_t*>(out) = info->dlpi_addr;
        return 1;
      },
      &base);
  return base;
}

Registers registers_of(const void* signal_context) {
  [[maybe_unused]] const auto& machine =
      static_cast<const ucontext_t*>(signal_context)->uc_mcontext;
#if defined(__x86_64__)
  return {static_cast<std::uintptr_t>(machine.gregs[REG_RIP]),
          static_cast<std::uintptr_t>(machine.gregs[REG_RSP])};
#elif defined(__aarch64__)
  return {static_cast<std::uintptr_t>(machine.pc), static_cast<std::uintptr_t>(machine.sp)};
#else
  return {};
#endif
}

#else  // other systems

bool has_futex() { return false; }
void sleep_on(std::atomic<std::uint32_t>&, std::uint32_t, std::chrono::milliseconds) {
  std::abort();
}
void wake(std::atomic<std::uint32_t>&) { std::abort(); }

int make_shared_memory(std::size_t bytes) {
  static std::atomic<unsigned> counter{0};
  char name[32];
  std::snprintf(name, sizeof(name), "/dynamo-%d-%u", static_cast<int>(getpid()), counter++);
  const int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) return -1;
  shm_unlink(name);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (ftruncate(fd, static_cast<off_t>(bytes)) == 0) return fd;
  close(fd);
  return -1;
}

int make_scratch_file() {
  std::FILE* file = std::tmpfile();  // has no name already
  if (file == nullptr) return -1;
  const int fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
  std::fclose(file);
  if (fd >= 0) fcntl(fd, F_SETFL, O_APPEND);
  return fd;
}

void die_with_parent() {}
bool pin_to(int) { return false; }

#ifdef __APPLE__
std::optional<std::chrono::nanoseconds> cpu_time(pid_t process) {
  rusage_info_v2 usage{};
  if (proc_pid_rusage(process, RUSAGE_INFO_V2, reinterpret_cast<rusage_info_t*>(&usage)) != 0) {
    return std::nullopt;
  }
  mach_timebase_info_data_t unit{};
  mach_timebase_info(&unit);
  const std::uint64_t ticks = usage.ri_user_time + usage.ri_system_time;
  return std::chrono::nanoseconds(ticks * unit.numer / unit.denom);
}
std::uintptr_t program_base() {
  return static_cast<std::uintptr_t>(_dyld_get_image_vmaddr_slide(0));
}
#else
std::optional<std::chrono::nanoseconds> cpu_time(pid_t) { return std::nullopt; }
std::uintptr_t program_base() { return 0; }
#endif

Registers registers_of(const void*) { return {}; }

#endif

void close_from(int first) {
#if defined(__linux__) && defined(SYS_close_range)
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
#endif
  for (int fd = first; fd < 1024; ++fd) close(fd);
}

}  // namespace dynamo::host::platform
