#include <array>
#include <string>
#include <string_view>

#include "node/methods.h"

namespace dynamo {

namespace {

/// "Ring::owners", cut out of what the compiler calls this function for M = &dynamo::Ring::owners.
template <auto M>
constexpr std::string_view name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("M = "));
  text.remove_prefix(text.find("dynamo::") + std::string_view("dynamo::").size());
  return text.substr(0, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"));
}

template <auto... M>
std::string name_in(MethodList<M...>, MethodId method) {
  static constexpr std::array<std::string_view, sizeof...(M)> names = {name<M>()...};
  return method < names.size() ? std::string(names[method]) : "method " + std::to_string(method);
}

}  // namespace

std::string name_of_method(MethodId method) { return name_in(Methods{}, method); }

}  // namespace dynamo
