// The part of a body that is in memory: grows at its end, shrinks at its begin. Not thread-safe.
#ifndef CHARTLY_DRONE_DECODE_JSON_WINDOW_H_
#define CHARTLY_DRONE_DECODE_JSON_WINDOW_H_

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drone/decode/body.h"
#include "drone/decode/json_index.h"

namespace chartly::drone {

class JsonWindow {
 public:
  // Requires: `body` outlives this.
  explicit JsonWindow(Body& body) : body_(body) {}

  // Reads until `bytes` are held or the body ends. An error of the body is returned as it is.
  absl::Status Fill(size_t bytes);
  bool at_end() const { return at_end_; }

  size_t size() const { return size_; }
  absl::string_view text() const { return absl::string_view(buffer_.get(), size_); }
  size_t offset() const { return offset_; }  // of the first byte in the body

  // The first `bytes` for JsonIndex::Build, which writes behind them; until the next Drop, text() is not to be read
  // past them. Then Drop, once, leaves out what was read.
  char* Lend(size_t bytes);
  void Drop(size_t bytes);

 private:
  struct Free {
    void operator()(char* buffer) const { std::free(buffer); }
  };
  // Room for `bytes`, and at once for more of the `wanted` ones.
  void Reserve(size_t bytes, size_t wanted);
  void Resize(size_t capacity);

  Body& body_;
  std::unique_ptr<char, Free> buffer_;  // of malloc, which lets a large one grow where it is
  size_t capacity_ = 0;
  size_t size_ = 0;
  size_t offset_ = 0;
  bool at_end_ = false;
  absl::string_view piece_;  // read, but not yet in the buffer
  size_t lent_ = 0;
  char kept_[kJsonWritten] = {};  // what stood behind the lent bytes
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_JSON_WINDOW_H_
