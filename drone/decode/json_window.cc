#include "drone/decode/json_window.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr size_t kLargeBytes = size_t{1} << 20;  // a buffer beyond is given back as soon as it is not needed

}  // namespace

void JsonWindow::Resize(size_t capacity) {
  auto* resized = static_cast<char*>(std::realloc(buffer_.get(), capacity + kJsonPadding));
  if (resized == nullptr) throw std::bad_alloc();
  static_cast<void>(buffer_.release());
  buffer_.reset(resized);
  std::memset(resized + capacity, 0, kJsonPadding);
  capacity_ = capacity;
}

void JsonWindow::Reserve(size_t bytes, size_t wanted) {
  if (bytes > capacity_) Resize(std::max(bytes, std::min(2 * capacity_, wanted)));
}

absl::Status JsonWindow::Fill(size_t bytes) {
  while (size_ < bytes && !at_end_) {
    if (piece_.empty()) {
      ASSIGN_OR_RETURN(piece_, body_.Read());
      at_end_ = piece_.empty();
      if (at_end_) break;
    }
    size_t part = std::min(piece_.size(), bytes - size_);
    Reserve(size_ + part, bytes);
    std::memcpy(buffer_.get() + size_, piece_.data(), part);
    size_ += part;
    piece_.remove_prefix(part);
  }
  Reserve(1, 1);
  return absl::OkStatus();
}

char* JsonWindow::Lend(size_t bytes) {
  lent_ = bytes;
  std::memcpy(kept_, buffer_.get() + bytes, kJsonWritten);
  return buffer_.get();
}

void JsonWindow::Drop(size_t bytes) {
  std::memcpy(buffer_.get() + lent_, kept_, kJsonWritten);
  std::memmove(buffer_.get(), buffer_.get() + bytes, size_ - bytes);
  size_ -= bytes;
  offset_ += bytes;
  if (capacity_ > kLargeBytes && size_ < capacity_ / 8) Resize(std::max(size_, kLargeBytes));
}

}  // namespace chartly::drone
