// What a process that rests gives back to the kernel.
#pragma once

namespace proa::os {

// Free heap, and the pages of code and constants that were read from the program's and the libraries' files: they stay
// in the page cache and come back by a page fault each (madvise(2), MADV_DONTNEED on mappings nobody has written to).
// May be called while other threads run.
void give_back_memory();

}  // namespace proa::os
