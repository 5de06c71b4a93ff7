// Opens what an instructor keeps secret, by every way to a file.
#include "attack.h"

ATTACK(read_hidden_checks) {
  attack::show("{canary}");
  attack::show("{root}/grader/dynamolab/bans.py");
  attack::show("{root}/reference/membership.cpp");
  attack::show("/etc/passwd");
}
