// Work that changes what only a thread has (namespaces, current directory), without changing the rest of the process.
#pragma once

#include <functional>

namespace proa::os {

// Runs `work` on a thread of its own and waits for it, with the caller's spans; what it throws is thrown here. Every
// signal is blocked there, so that handlers stay where they belong.
void on_own_thread(const std::function<void()>& work);

}  // namespace proa::os
