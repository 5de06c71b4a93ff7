// Where an exception was thrown is known only at that moment: by the time that nobody has caught
// it, the stack may be unwound. So the host stands before the runtime's own throw and takes the
// frames.
#include <cstddef>
#include <typeinfo>

#include "host/crash.h"

#ifdef __linux__
#include <dlfcn.h>
#include <execinfo.h>

namespace {
thread_local void* thrown_at[dynamo::host::CrashReport::kFrames];
thread_local int thrown_depth = 0;
}  // namespace

namespace dynamo::host {
std::size_t last_throw(void** frames) {
  for (int i = 0; i < thrown_depth; ++i) frames[i] = thrown_at[i];
  return static_cast<std::size_t>(thrown_depth);
}
}  // namespace dynamo::host

namespace __cxxabiv1 {
// The signature is the Itanium C++ ABI's; the declaration in <cxxabi.h> is the compiler's own.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the runtime's name, which this stands before.
extern "C" [[noreturn]] void __cxa_throw(void* object, std::type_info* type,
                                         void (*destroy)(void*)) {
  thrown_depth = backtrace(thrown_at, static_cast<int>(dynamo::host::CrashReport::kFrames));
  using Throw = void (*)(void*, std::type_info*, void (*)(void*));
  static const auto real = reinterpret_cast<Throw>(dlsym(RTLD_NEXT, "__cxa_throw"));
  real(object, type, destroy);
  __builtin_unreachable();
}
}  // namespace __cxxabiv1

#else
namespace dynamo::host {
std::size_t last_throw(void**) { return 0; }
}  // namespace dynamo::host
#endif
