// 2^200 warnings.
#warning again, and again, and again
#include __FILE__
#include __FILE__
