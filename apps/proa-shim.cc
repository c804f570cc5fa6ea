// proa-shim: the keeper of one container. Started by proad alone.
#include <sys/prctl.h>

#include "shim/shim.h"

int main(int argc, char** argv) {
  ::prctl(PR_SET_NAME, "proa-shim");  // it was executed by a descriptor's number
  return proa::shim::shim_main(argc, argv);
}
