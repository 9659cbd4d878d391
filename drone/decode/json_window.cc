#include "drone/decode/json_window.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/status/status.h"

namespace chartly::drone {

void JsonWindow::Reserve(size_t bytes) {
  if (bytes <= capacity_) return;
  size_t capacity = std::max(bytes, 2 * capacity_);
  std::unique_ptr<char[]> larger(new char[capacity + kJsonPadding]);
  std::memset(larger.get() + capacity, 0, kJsonPadding);
  if (size_ > 0) std::memcpy(larger.get(), buffer_.get(), size_);
  buffer_ = std::move(larger);
  capacity_ = capacity;
}

absl::Status JsonWindow::Fill(size_t bytes) {
  while (size_ < bytes && !at_end_) {
    if (piece_.empty()) {
      ASSIGN_OR_RETURN(piece_, body_.Read());
      at_end_ = piece_.empty();
      if (at_end_) break;
    }
    size_t part = std::min(piece_.size(), bytes - size_);
    Reserve(size_ + part);
    std::memcpy(buffer_.get() + size_, piece_.data(), part);
    size_ += part;
    piece_.remove_prefix(part);
  }
  Reserve(1);
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
}

}  // namespace chartly::drone
