// CHILD: tmpcopyup: what a directory held shows in the tmpfs that will cover it.
#pragma once

namespace proa::runtime {

// Files, directories, links, fifos and devices with owner, mode and times. Follows nothing.
void copy_up(int from, int to);

}  // namespace proa::runtime
