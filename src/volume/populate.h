// The content that an image has for a new volume: it becomes the volume's whole or not at all, whenever the daemon dies
// or the power fails.
//
// D/volumes/<name>/copying is filled, put on the disk and renamed to copied; what is in there then moves into _data,
// which keeps its inode: containers may have it mounted. A start removes copying and goes on with copied.
#pragma once

#include <string>

namespace proa::volume {

// `directory`: D/volumes/<name>. `source`: what is copied, with its owner, mode and times. Without effect where the
// volume has content. What containers put into the volume meanwhile stays.
void populate(const std::string& directory, int source);
// What a death left between the two.
void finish_populating(const std::string& directory);

}  // namespace proa::volume
