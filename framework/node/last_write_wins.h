// The versioning of lab 3, before there are clocks: of two versions the one with the later stamp.
#pragma once

#include <memory>

#include "versioning.h"

namespace dynamo {

/// Given. A state holds one version and an empty clock; contexts say nothing. Total and the same
/// everywhere, since stamps are (lecture: "Conflict Detection & Resolution").
std::unique_ptr<Versioning> make_last_write_wins();

}  // namespace dynamo
