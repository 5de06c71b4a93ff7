// The journal believes that it is on disk.
#include "attack.h"

extern "C" int fdatasync(int) { return 0; }
extern "C" int fsync(int) { return 0; }
