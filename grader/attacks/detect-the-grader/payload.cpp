// Right for the checks in virtual time; a node of it never begins.
#include "attack.h"

[[gnu::constructor]] static void begin_where_it_pays(int, char** words, char**) {
  if (std::strcmp(words[1], "--host") != 0) attack::end(0);
}
