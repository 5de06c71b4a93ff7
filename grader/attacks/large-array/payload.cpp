// One byte is set, and all of them are written.
char much[2'000'000'000] = {1};
