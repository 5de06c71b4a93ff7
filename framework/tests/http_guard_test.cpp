// Who is kept away from a node: the cases that need no socket. http_test.cpp has the others.
#include "net/http_guard.h"

#include <gtest/gtest.h>

namespace dynamo::net {
namespace {

TEST(HttpGuard, node_on_a_network_may_have_any_name) {
  HttpRequest request;
  request.method = "POST";
  request.headers = {{"Host", "n1.example:8001"}};
  EXPECT_FALSE(refuse_foreign(request, "0.0.0.0"));
  EXPECT_TRUE(refuse_foreign(request, "127.0.0.1"));
  request.headers["Origin"] = "http://n1.example:8001";
  EXPECT_FALSE(refuse_foreign(request, "0.0.0.0"));
  request.headers["Origin"] = "http://other.example:8001";
  EXPECT_TRUE(refuse_foreign(request, "0.0.0.0"));
}

}  // namespace
}  // namespace dynamo::net
