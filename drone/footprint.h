// Keeps a drone small beside what else its host does.
#ifndef CHARTLY_DRONE_FOOTPRINT_H_
#define CHARTLY_DRONE_FOOTPRINT_H_

namespace chartly::drone {

// Left to itself, glibc gives each thread a heap of its own and keeps there what large buffers have left behind.
// Requires: nothing was allocated by other threads yet.
void KeepHeapSmall();

// Gives back to the kernel what a drone without work holds and does not use: freed memory, and the pages of program and
// libraries that only start and runs need. What is needed again comes back by itself, without reading the disk as long
// as the kernel has it. Thread-safe; takes a few milliseconds.
void GiveBackUnused();

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FOOTPRINT_H_
