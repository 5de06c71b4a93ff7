// What a node answers over HTTP: the operator's console, metrics, and (from lab 3 on) keys.
#pragma once

#include "net/http_server.h"

namespace dynamo {

class RealNode;

/// The pattern that the path of `request` fits, "/admin/members/ID" say, or "other".
std::string_view route_of(const net::HttpRequest& request);

/// Answers `request` exactly once. docs/protocol.md lists the routes.
void serve_http(RealNode& node, const net::HttpRequest& request, net::HttpServer::Respond respond);

}  // namespace dynamo
