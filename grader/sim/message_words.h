// Messages and values (JSON) in words.
#pragma once

#include <cstddef>
#include <set>
#include <string>

namespace dynamo::sim {

/// Keys of the store that a story is about; mostly none, or one. Of a long list they are never left
/// out, and a text that names them may be somewhat longer.
using KeySet = std::set<std::string>;

/// A message in words: long lists are cut (histories at the front), digests shortened,
/// events told as "n4 joins (7@n1)", places of an active list as "n2 for n5".
/// `text` is JSON; what is none comes back as it is, cut at `most` characters.
std::string in_words(const std::string& text, std::size_t most = 160, const KeySet& about = {});

/// A JSON list as the arguments of a call: "(n2, [n1, n3])".
std::string arguments_in_words(const std::string& text, std::size_t most = 160,
                               const KeySet& about = {});

}  // namespace dynamo::sim
