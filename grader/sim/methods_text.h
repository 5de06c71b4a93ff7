// Names and JSON of the methods that checks may call, for traces and stories.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node/methods.h"
#include "sim/host.h"

namespace dynamo::sim {

/// "preference_list"; "method 99" for an unknown one.
std::string method_name(MethodId method);

/// Its arguments as a JSON list; "malformed" if they are.
std::string arguments_text(MethodId method, std::string_view args);

/// What it returned, as JSON text; "done" for void.
std::string result_text(MethodId method, std::string_view result);

/// Which spaces of its disk a handler wrote to, and how much: "history: 2 put; debts: 1 erased".
std::string spaces_text(const std::vector<DiskWrite>& writes);

}  // namespace dynamo::sim
