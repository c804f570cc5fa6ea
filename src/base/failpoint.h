// Named places where tests make the process die or fail. Compiled in only with PROA_FAILPOINTS (the dev preset).
//
// PROA_FAILPOINTS_ON="layer.commit.after_rename=kill;create.after_dir=2*off->error" in the environment arms them:
// a term is [N*off->](kill|error|pause), where pause waits until the file $PROA_FAILPOINTS_DIR/NAME.go exists. The file
// NAME.hit in that directory tells that the place was reached.
#pragma once

#ifdef PROA_FAILPOINTS
namespace proa {
void failpoint(const char* name);
}
#define FAILPOINT(name) ::proa::failpoint(name)
#else
#define FAILPOINT(name) ((void)0)
#endif
