// Copies a tree between two directories held by descriptor, with owners, modes, times and extended attributes.
#pragma once

#include "os/fd.h"

namespace proa::volume {

bool is_empty_dir(int dirfd);
// Copies what is in `from` into `to`, which is empty. Links are copied as links, never followed; devices, FIFOs and
// sockets are left out of what is copied only if they cannot be made.
void copy_tree(int from, int to);
// Owner, mode and times of the directory itself.
void copy_attributes(int from, int to);

}  // namespace proa::volume
