// Keeps web pages away from a node. A browser on this machine reaches loopback, too: any page that
// it shows could otherwise add and remove members (cross-site request forgery), and one whose name
// is made to point to 127.0.0.1 could read the answers as well (DNS rebinding).
#pragma once

#include <optional>
#include <string>

#include "net/http_message.h"

namespace dynamo::net {

/// The 403 for a request that comes from a foreign page, or nothing. `bound_host` is the address
/// that the server listens on.
///
/// On a loopback address only requests to localhost, to a loopback address or to `bound_host` are
/// answered. (Others are known by names that we cannot know, and their /admin demands a token.)
/// On any address, what changes something is refused if a browser says that another site's page
/// asks for it. Programs send neither Origin nor Sec-Fetch-Site.
std::optional<HttpResponse> refuse_foreign(const HttpRequest& request,
                                           const std::string& bound_host);

}  // namespace dynamo::net
