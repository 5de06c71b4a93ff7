// /kv over HTTP: get, put and delete, as clients of the store use them.
#pragma once

#include "net/http_server.h"

namespace dynamo {

class RealNode;

/// Answers a request for /kv/KEY exactly once. docs/protocol.md says what each status means.
void serve_kv(RealNode& node, const net::HttpRequest& request, net::HttpServer::Respond respond);

}  // namespace dynamo
