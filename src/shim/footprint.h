// How small an idle shim is.
#pragma once

namespace proa::shim {

// Gives free heap and the pages of our own code back; what is needed again is read from the page cache again.
void shed_memory();

}  // namespace proa::shim
