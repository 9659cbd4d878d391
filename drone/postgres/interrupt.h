// Lets one thread end the waits of another. Thread-safe.
#ifndef CHARTLY_DRONE_POSTGRES_INTERRUPT_H_
#define CHARTLY_DRONE_POSTGRES_INTERRUPT_H_

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>

namespace chartly::drone {

class Interrupt {
 public:
  Interrupt() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Interrupt() {
    if (fd_ >= 0) ::close(fd_);
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // For good: every wait from now on ends at once. Repeating is harmless.
  void Raise() {
    raised_ = true;
    ::eventfd_write(fd_, 1);
  }
  bool raised() const { return raised_; }
  // Readable once it was raised, for poll.
  int fd() const { return fd_; }

 private:
  const int fd_;
  std::atomic<bool> raised_ = false;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_POSTGRES_INTERRUPT_H_
