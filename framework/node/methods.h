// The calls that the trusted side (checks, console) may make straight into a module, by number.
// One list gives the numbers, the arguments' and results' codec, and the dispatch: a check says
// node.invoke<&Ring::preference_list>(v), and it runs out of process or linked in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "membership.h"
#include "replication.h"
#include "ring.h"
#include "sync.h"
#include "versioning.h"
#include "warmup.h"

namespace dynamo {

/// Index of a method in Methods.
using MethodId = std::uint16_t;

/// "Membership::merge", for people; for a number out of range "method 77".
std::string name_of_method(MethodId method);

template <auto... M>
struct MethodList {};

/// Append only at the end: saved traces carry these numbers.
using Methods =
    MethodList<&Membership::add, &Membership::remove, &Membership::merge, &Membership::history,
               &Membership::view, &Membership::suspects, &Membership::peer_answered,
               &Membership::peer_silent, &Ring::successors, &Ring::rebuild, &Ring::owners,
               &Ring::vnode_of, &Ring::preference_list, &Ring::active_list, &Warmup::ping,
               &Warmup::counted, &Warmup::answered, &Transfer::complete, &Versioning::compare,
               &Versioning::join, &Versioning::write, &Versioning::merge, &Versioning::context,
               &LocalStore::visited, &Sync::root, &Sync::node, &LocalStore::drop>;

namespace detail {
/// What travels for an argument: text that somebody owns, for a view.
template <class A>
using Owned = std::conditional_t<std::is_same_v<A, std::string_view>, std::string, A>;
}  // namespace detail

template <class M>
struct MethodTraits;
template <class Module_, class R, class... A>
struct MethodTraits<R (Module_::*)(A...)> {
  using Module = Module_;
  using Value = std::remove_cvref_t<R>;  ///< What it returns; void stays void.
  using Arguments = std::tuple<detail::Owned<std::remove_cvref_t<A>>...>;
};
template <class Module_, class R, class... A>
struct MethodTraits<R (Module_::*)(A...) const> : MethodTraits<R (Module_::*)(A...)> {};

namespace detail {
/// Pointers to virtual members are no constants for ==; as parts of a type they can be compared.
template <auto M>
struct Named {};

template <auto Wanted, auto... M>
constexpr MethodId index_of(MethodList<M...>) {
  MethodId index = 0;
  bool found = false;
  const auto look = [&]<auto Candidate>() {
    if constexpr (std::is_same_v<Named<Candidate>, Named<Wanted>>) found = true;
    if (!found) ++index;
  };
  (look.template operator()<M>(), ...);
  return index;
}
}  // namespace detail

/// The number of a method, for example method_id<&Ring::owners>.
template <auto M>
inline constexpr MethodId method_id = detail::index_of<M>(Methods{});

}  // namespace dynamo
