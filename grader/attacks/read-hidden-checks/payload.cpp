// Opens what an instructor keeps secret, by every way to a file.
#include "attack.h"

ATTACK(read_hidden_checks) {
  attack::show("/etc/passwd");
  attack::show("{root}/grader/dynamolab/bans.py");
  attack::show("{root}/reference/membership.cpp");
  attack::show("{canary}");  // last: of many words only the last ones are told
}
