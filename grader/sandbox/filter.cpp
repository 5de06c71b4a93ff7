#include "sandbox/filter.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace dynamo::sandbox {

namespace {

// A call that is on no list fails with ENOSYS, for which libraries have a way round.

constexpr std::array kComputes = {"read",
                                  "readv",
                                  "pread64",
                                  "preadv",
                                  "write",
                                  "writev",
                                  "pwrite64",
                                  "pwritev",
                                  "close",
                                  "fstat",
                                  "newfstatat",
                                  "stat",
                                  "lstat",
                                  "statx",
                                  "lseek",
                                  "readlink",
                                  "readlinkat",
                                  "access",
                                  "faccessat",
                                  "faccessat2",
                                  "getcwd",
                                  "dup",
                                  "dup2",
                                  "dup3",
                                  "mmap",
                                  "munmap",
                                  "mremap",
                                  "mprotect",
                                  "madvise",
                                  "brk",
                                  "futex",
                                  "futex_time64",
                                  "membarrier",
                                  "rt_sigaction",
                                  "rt_sigprocmask",
                                  "rt_sigreturn",
                                  "rt_sigpending",
                                  "sigaltstack",
                                  "restart_syscall",
                                  "exit",
                                  "exit_group",
                                  "clock_gettime",
                                  "clock_getres",
                                  "gettimeofday",
                                  "time",
                                  "times",
                                  "nanosleep",
                                  "clock_nanosleep",
                                  "poll",
                                  "ppoll",
                                  "getpid",
                                  "getppid",
                                  "gettid",
                                  "getuid",
                                  "geteuid",
                                  "getgid",
                                  "getegid",
                                  "getrandom",
                                  "getrlimit",
                                  "setrlimit",
                                  "getrusage",
                                  "uname",
                                  "sysinfo",
                                  "arch_prctl",
                                  "set_tid_address",
                                  "set_robust_list",
                                  "get_robust_list",
                                  "rseq",
                                  "sched_getaffinity",
                                  "sched_yield",
                                  "getcpu",
                                  "mincore"};

constexpr std::array kServes = {
    "epoll_create1",   "epoll_create", "epoll_ctl",   "epoll_wait",     "epoll_pwait",
    "epoll_pwait2",    "eventfd2",     "pipe",        "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "pipe2",        "select",      "pselect6",       "accept",
    "accept4",         "getsockname",  "getpeername", "setsockopt",     "getsockopt",
    "sendto",          "recvfrom",     "sendmsg",     "recvmsg",        "shutdown"};

constexpr std::array kKeepsADisk = {
    "mkdir",           "mkdirat",   "unlink",    "unlinkat",   "rename",    "renameat",
    "renameat2",       "ftruncate", "fallocate", "fsync",      "fdatasync", "msync",
    "sync_file_range", "statfs",    "fstatfs",   "getdents64", "fadvise64", "flock",
    "rmdir",           "open",      "openat"};

// What neither a solution nor a build may do: speak, look into others, change the system. A build,
// which runs many programs, may do all the rest.
constexpr std::array kNobodys = {"socket",
                                 "socketpair",
                                 "connect",
                                 "bind",
                                 "listen",
                                 "ptrace",
                                 "process_vm_readv",
                                 "process_vm_writev",
                                 "process_madvise",
                                 "pidfd_getfd",
                                 "kcmp",
                                 "shmget",
                                 "semget",
                                 "msgget",
                                 "mq_open",
                                 "io_uring_setup",
                                 "bpf",
                                 "perf_event_open",
                                 "userfaultfd",
                                 "fanotify_init",
                                 "mount",
                                 "umount2",
                                 "unshare",
                                 "setns",
                                 "chroot",
                                 "pivot_root",
                                 "keyctl",
                                 "add_key",
                                 "request_key",
                                 "open_by_handle_at",
                                 "setuid",
                                 "setgid",
                                 "setresuid",
                                 "setresgid",
                                 "setgroups",
                                 "mknod",
                                 "mknodat",
                                 "reboot",
                                 "syslog",
                                 "swapon",
                                 "init_module",
                                 "finit_module",
                                 "kexec_load",
                                 "iopl",
                                 "ioperm"};

// Nor a solution these. No library tries any of them by itself: whoever does is ended, so that it
// shows.
constexpr std::array kHostile = {"fork",
                                 "vfork",
                                 "execve",
                                 "kill",
                                 "tkill",
                                 "rt_sigqueueinfo",
                                 "rt_tgsigqueueinfo",
                                 "pidfd_open",
                                 "pidfd_send_signal",
                                 "shmat",
                                 "shmctl",
                                 "semop",
                                 "msgsnd",
                                 "inotify_init",
                                 "inotify_init1",
                                 "name_to_handle_at",
                                 "setsid",
                                 "setpgid",
                                 "link",
                                 "linkat",
                                 "symlink",
                                 "symlinkat",
                                 "chmod",
                                 "fchmodat",
                                 "chown",
                                 "lchown",
                                 "fchownat",
                                 "sched_setaffinity",
                                 "sched_setscheduler",
                                 "setpriority",
                                 "personality",
                                 "modify_ldt"};

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

void must(int done, const char* what) {
  if (done < 0) throw std::runtime_error(std::string("seccomp: ") + what + ": " + strerror(-done));
}

/// Calls that this machine does not have are no matter. With conditions: all of them must hold.
template <class... Condition>
void rule(const Filter& filter, std::uint32_t action, const char* call, Condition... conditions) {
  const int number = seccomp_syscall_resolve_name(call);
  if (number == __NR_SCMP_ERROR) return;
  const int done =
      seccomp_rule_add(filter.get(), action, number, sizeof...(conditions), conditions...);
  if (done != -EDOM) must(done, call);  // EDOM: of another architecture
}

template <class Names>
void rules(const Filter& filter, std::uint32_t action, const Names& names) {
  for (const char* name : names) rule(filter, action, name);
}

void allow_options(const Filter& filter) {
  constexpr std::array kOptions = {PR_SET_PDEATHSIG, PR_SET_NAME, PR_GET_NAME, PR_SET_THP_DISABLE,
                                   PR_SET_VMA};
  for (const int option : kOptions) {
    rule(filter, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(option)));
  }
  constexpr std::array kOfDescriptors = {F_GETFD, F_SETFD, F_GETFL,
                                         F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC};
  for (const int command : kOfDescriptors) {
    rule(filter, SCMP_ACT_ALLOW, "fcntl", SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command)));
  }
  rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS));
  // Another process's limits are its own.
  rule(filter, SCMP_ACT_ALLOW, "prlimit64", SCMP_A0(SCMP_CMP_EQ, 0));
  // abort() sends a signal to itself. Whoever is started keeps our number.
  rule(filter, SCMP_ACT_ALLOW, "tgkill", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid())));
}

/// Files are opened to read, and not to be made: of /tmp, say, where no Landlock stands before it.
void allow_reading(const Filter& filter) {
  constexpr scmp_datum_t changes = O_ACCMODE | O_CREAT | O_TRUNC | O_PATH;
  rule(filter, SCMP_ACT_ALLOW, "open", SCMP_A1(SCMP_CMP_MASKED_EQ, changes, O_RDONLY));
  rule(filter, SCMP_ACT_ALLOW, "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, changes, O_RDONLY));
}

void allow_serving(const Filter& filter) {
  rules(filter, SCMP_ACT_ALLOW, kServes);
  rules(filter, SCMP_ACT_ALLOW, kKeepsADisk);
  // Threads, and no processes. glibc asks for clone3 first, whose flags cannot be seen from here.
  rule(filter, SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO));
  rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD));
  // LMDB locks its file.
  constexpr std::array kLocks = {F_GETLK, F_SETLK, F_SETLKW};
  for (const int command : kLocks) {
    rule(filter, SCMP_ACT_ALLOW, "fcntl", SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command)));
  }
}

void allow_once(const Filter& filter, const char* name) {
  const auto address = reinterpret_cast<scmp_datum_t>(name);
  // Our own call, which follows. The address means nothing in the program that it starts; if one
  // puts something there, it can only start what the file system still shows, and under this
  // filter.
  rule(filter, SCMP_ACT_ALLOW, "execveat", SCMP_A1(SCMP_CMP_EQ, address));
  rule(filter, SCMP_ACT_KILL_PROCESS, "execveat", SCMP_A1(SCMP_CMP_NE, address));
}

}  // namespace

void restrict_calls(Profile profile, const char* name) {
  const bool build = profile == Profile::build;
  const Filter filter(seccomp_init(build ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS)),
                      &seccomp_release);
  if (!filter) throw std::runtime_error("seccomp: no memory for a filter");
  // Older kernels would otherwise slow the program down for its whole life, against a leak between
  // parts of one process: nothing here trusts a part of a process.
  must(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_SSB, 1), "speculation");
  must(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimise");
  if (build) {
    rules(filter, SCMP_ACT_ERRNO(EPERM), kNobodys);
    rule(filter, SCMP_ACT_ERRNO(EPERM), "ioctl", SCMP_A1(SCMP_CMP_EQ, TIOCSTI));
  } else {
    rules(filter, SCMP_ACT_ALLOW, kComputes);
    rules(filter, SCMP_ACT_KILL_PROCESS, kNobodys);
    rules(filter, SCMP_ACT_KILL_PROCESS, kHostile);
    rule(filter, SCMP_ACT_KILL_PROCESS, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    allow_options(filter);
    if (profile == Profile::node) allow_serving(filter);
    if (profile == Profile::host) allow_reading(filter);
    allow_once(filter, name);
  }
  must(seccomp_load(filter.get()), "load");
}

}  // namespace dynamo::sandbox
