#include "host/crash.h"

#include <cxxabi.h>
#include <execinfo.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "host/platform.h"

namespace dynamo::host {

namespace {

constexpr int kExitAfterReport = 70;  // the report says all; the number is for a person at a shell

CrashReport own_report;  // where there is nobody to tell: printed
CrashReport* report = &own_report;
void (*afterwards)() = nullptr;
std::uintptr_t base = 0;  // of the program; taken early, since a handler must not ask
alignas(16) char signal_stack[64 * 1024];

/// Code addresses come as numbers; the unwinder speaks of pointers.
void* as_pointer(std::uintptr_t address) {
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
}

void copy_text(char* to, std::size_t size, const char* from) {
  std::strncpy(to, from, size - 1);
  to[size - 1] = '\0';
}

void set_frames(void* const* frames, std::size_t count) {
  report->frame_count = static_cast<std::uint32_t>(std::min(count, CrashReport::kFrames));
  for (std::size_t i = 0; i < report->frame_count; ++i) {
    report->frames[i] = reinterpret_cast<std::uintptr_t>(frames[i]) - base;
  }
}

/// Only calls that are safe in a signal handler.
void print_frames(const char* headline) {
  if (report != &own_report) return;
  const auto say = [](const char* text) {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
  };
  say(headline);
  say("\n");
  void* frames[CrashReport::kFrames];
  for (std::size_t i = 0; i < report->frame_count; ++i) {
    frames[i] = as_pointer(report->frames[i] + base);
  }
  backtrace_symbols_fd(frames, static_cast<int>(report->frame_count), STDERR_FILENO);
}

/// A report from a process in ruins may hang; then it ends without the rest.
void end_soon() {
  std::signal(SIGALRM, SIG_DFL);
  alarm(2);
}

void on_signal(int number, siginfo_t* info, void* context) {
  end_soon();
  report->kind = CrashReport::by_signal;
  report->signal = number;
  const platform::Registers at = platform::registers_of(context);
  if (number == SIGSEGV || number == SIGBUS) {
    const auto fault = reinterpret_cast<std::uintptr_t>(info->si_addr);
    report->fault_address = fault;
    constexpr std::uintptr_t near = 1 << 16;
    report->stack_overflow = fault + near > at.stack_pointer && fault < at.stack_pointer + near;
  }
  void* frames[CrashReport::kFrames];
  const int depth = backtrace(frames, static_cast<int>(CrashReport::kFrames));
  void** first = frames;
  if (at.program_counter != 0) {
    // Leave out this handler and the kernel's trampoline. All other frames are return addresses,
    // which lie after their call; so this one is made to lie after its instruction, too.
    void* const interrupted = as_pointer(at.program_counter);
    first = std::find(frames, frames + depth, interrupted);
    if (first == frames + depth) first = frames;
    if (*first == interrupted) *first = as_pointer(at.program_counter + 1);
  }
  set_frames(first, static_cast<std::size_t>(frames + depth - first));
  print_frames(strsignal(number));
  if (afterwards != nullptr) afterwards();
  std::signal(number, SIG_DFL);
  raise(number);
}

[[noreturn]] void on_terminate() {
  end_soon();
  report->kind = CrashReport::by_exception;
  if (const std::type_info* type = abi::__cxa_current_exception_type()) {
    int status = 0;
    char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
    copy_text(report->type, sizeof(report->type), name != nullptr ? name : type->name());
    std::free(name);
  } else {
    copy_text(report->type, sizeof(report->type), "std::terminate");
  }
  try {
    if (std::current_exception()) std::rethrow_exception(std::current_exception());
  } catch (const std::exception& e) {
    copy_text(report->text, sizeof(report->text), e.what());
  } catch (...) {
    copy_text(report->text, sizeof(report->text), "not a std::exception");
  }
  void* frames[CrashReport::kFrames];
  std::size_t depth = std::current_exception() ? last_throw(frames) : 0;
  if (depth == 0) {
    depth = static_cast<std::size_t>(backtrace(frames, static_cast<int>(CrashReport::kFrames)));
  }
  set_frames(frames, depth);
  if (report == &own_report) std::fprintf(stderr, "%s: %s", report->type, report->text);
  print_frames("");
  if (afterwards != nullptr) afterwards();
  std::_Exit(kExitAfterReport);
}

}  // namespace

void install_crash_reports(CrashReport* to, void (*then)()) {
  report = to != nullptr ? to : &own_report;
  afterwards = then;
  base = platform::program_base();
  void* warm_up[1];
  backtrace(warm_up, 1);  // the first call loads a library, which a signal handler must not do
  std::set_terminate(on_terminate);
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  // These two no sanitizer takes for itself.
  sigaction(SIGXCPU, &action, nullptr);
  sigaction(SIGABRT, &action, nullptr);
  if (platform::has_sanitizer()) return;
  stack_t stack{};
  stack.ss_sp = signal_stack;  // the ordinary stack may be what overflowed
  stack.ss_size = sizeof(signal_stack);
  sigaltstack(&stack, nullptr);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    sigaction(number, &action, nullptr);
  }
}

}  // namespace dynamo::host
