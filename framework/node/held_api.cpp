#include "node/held_api.h"

#include "core/json.h"
#include "node/error_status.h"
#include "node/state_json.h"
#include "tree.h"

namespace dynamo {

namespace {

using net::HttpResponse;

constexpr std::size_t kMostKeys = 2000;  ///< Of a tree; beyond, "and" says how many more.

HttpResponse json_response(const Json& body) {
  return {200, "application/json", json::text(body) + "\n", {}};
}

HttpResponse not_at_work(const char* module) {
  return net::http_error(
      501, "not_at_work",
      std::string("the module \"") + module + "\" is not at work in this node (config: modules)");
}

Json held_in(const LocalStore* store, const std::string& key) {
  if (store == nullptr) return nullptr;
  const std::optional<State> state = store->get(key);
  if (!state) return nullptr;
  return state_json(*store->hash(key), *state);
}

}  // namespace

HttpResponse held_response(Node& node, const std::string& key) {
  if (node.store() == nullptr) return not_at_work("replication");
  return json_response(
      {{"key", key}, {"state", held_in(node.store(), key)}, {"hint", held_in(node.hints(), key)}});
}

HttpResponse tree_response(Node& node, VnodeId vnode) {
  if (node.sync() == nullptr) return not_at_work("sync");
  const std::uint32_t q = node.setup().config.q;
  Json keys = Json::array();
  std::size_t more = 0;
  node.store()->scan(vnode, "", [&](std::string_view key, const StateHash& hash) {
    if (keys.size() == kMostKeys) return ++more, true;
    const Json name = text_or_size(key);
    keys.push_back({{"key", name}, {"path", path_of(key, q)}, {"hash", json::to(hash)}});
    return true;
  });
  return json_response({{"vnode", vnode},
                        {"root", json::to(node.sync()->root(vnode))},
                        {"keys", std::move(keys)},
                        {"and", more}});
}

}  // namespace dynamo
