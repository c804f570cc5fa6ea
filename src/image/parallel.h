// The same work on many things, a few at a time; the first failure ends it.
#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

namespace proa::image {

// work(0) ... work(count-1) on up to `width` threads, this one among them; spans go where this thread's go. Requests
// `stop` and throws when one throws; throws Cancelled where `stop` was requested.
void in_parallel(std::size_t count, std::size_t width, std::stop_source& stop,
                 const std::function<void(std::size_t)>& work);

}  // namespace proa::image
