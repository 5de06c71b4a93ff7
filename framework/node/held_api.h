// What a node holds, for who looks at it: /admin/held/KEY and /admin/tree/VNODE.
#pragma once

#include <string>

#include "core/ids.h"
#include "net/http_server.h"
#include "node/node.h"

namespace dynamo {

/// Of one key: the state in its own store, and the one that it keeps for others; each null if there
/// is none. Inside a handler.
net::HttpResponse held_response(Node& node, const std::string& key);

/// Of one virtual node: its keys, with where they lie in the tree, and the root as Sync has it.
/// Inside a handler.
net::HttpResponse tree_response(Node& node, VnodeId vnode);

}  // namespace dynamo
