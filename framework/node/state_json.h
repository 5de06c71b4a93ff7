// What is kept, as JSON for people: traces and the admin interface.
#pragma once

#include <string_view>

#include "core/json_fwd.h"
#include "core/local_store.h"

namespace dynamo {

/// Short text without control characters, as it is told in full.
bool is_plain(std::string_view text);

/// The text itself if it is plain; else "17 bytes".
Json text_or_size(std::string_view text);

/// {"hash": "…", "versions": [{"dot", "seen", "value": text or null}], "clock": {…}}; null if
/// `state` is none that given code laid out (labs/4-versioning/versioning.h).
Json state_json(const StateHash& hash, const State& state);

}  // namespace dynamo
