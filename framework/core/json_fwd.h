// The name Json, for headers that only hand one on: the library itself costs a second to read.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace dynamo {

using Json = nlohmann::ordered_json;

}  // namespace dynamo
