// A text that comes in pieces, as a source would give it. Each piece is a copy of its own, so that a view that outlives
// it is found by the address sanitizer.
#ifndef CHARTLY_DRONE_DECODE_CUT_BODY_FOR_TEST_H_
#define CHARTLY_DRONE_DECODE_CUT_BODY_FOR_TEST_H_

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "drone/decode/body.h"

namespace chartly::drone {

class CutBody final : public Body {
 public:
  // Pieces of 1 to `longest` bytes, at random.
  CutBody(std::string text, size_t longest, unsigned seed = 1)
      : text_(std::move(text)), longest_(longest), random_(seed) {}

  absl::StatusOr<absl::string_view> Read() override {
    size_t size = std::min<size_t>(1 + random_() % longest_, text_.size() - position_);
    piece_ = std::make_unique<char[]>(size);
    text_.copy(piece_.get(), size, position_);
    position_ += size;
    return absl::string_view(piece_.get(), size);
  }

 private:
  std::string text_;
  size_t longest_;
  std::mt19937 random_;
  size_t position_ = 0;
  std::unique_ptr<char[]> piece_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_CUT_BODY_FOR_TEST_H_
