#include "cli/verbs.h"
#include "cli/explain.h"
namespace proa::cli {
}
