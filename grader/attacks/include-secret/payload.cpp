// The compiler shows the lines that it does not understand.
#include "/etc/passwd"
#include "{canary}"
