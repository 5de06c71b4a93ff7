#include "sim/check_program.h"

int main(int argc, char** argv) { return dynamo::sim::check_program(argc, argv); }
