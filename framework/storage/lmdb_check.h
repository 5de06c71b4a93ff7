// A look at LMDB's file before it is mapped. LMDB believes what it finds: a page that the file ends
// before is a SIGBUS, a length beyond its page a crash or a wrong value.
#pragma once

#include <filesystem>
#include <string>

namespace dynamo {

/// Reads every page that the newest commit needs, but for the insides of long values (LMDB has no
/// checksums; a changed byte of a value is not seen). Returns what is wrong, or nothing. A file
/// that is absent or empty is right: a store is made there. Nobody may write to it meanwhile.
///
/// The file may be shorter than the newest commit says: LMDB does not write pages that it has taken
/// and freed in one transaction. So its length alone tells nothing; the pages in use do.
std::string damage_in_lmdb_file(const std::filesystem::path& file);

}  // namespace dynamo
