// A host and nothing else, so that hosts can be tested without dynamo-node.
#include <string>
#include <vector>

#include "host/serve.h"

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (!args.empty() && args.front() == "--host") args.erase(args.begin());
  return dynamo::host::serve(args);
}
