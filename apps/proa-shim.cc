// proa-shim: the keeper of one container. Started by proad alone.
#include "shim/shim.h"

int main() { return proa::shim::shim_main(); }
