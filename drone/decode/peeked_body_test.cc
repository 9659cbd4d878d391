#include "drone/decode/peeked_body.h"

#include <deque>

#include "test/support/test.h"

namespace chartly::drone {
namespace {

class Pieces final : public Body {
 public:
  explicit Pieces(std::deque<std::string> pieces) : pieces_(std::move(pieces)) {}
  absl::StatusOr<absl::string_view> Read() override {
    if (pieces_.empty()) return absl::string_view();
    // The last piece is overwritten, as the contract of Body allows.
    held_.swap(pieces_.front());
    pieces_.pop_front();
    return absl::string_view(held_);
  }

 private:
  std::deque<std::string> pieces_;
  std::string held_;
};

std::string Rest(Body& body) {
  absl::StatusOr<std::string> text = ReadAll(body, 1000);
  REQUIRE_OK(text);
  return *text;
}

TEST_CASE("what was peeked at is read again, across pieces") {
  Pieces pieces({"a", "bc", "def", "g"});
  PeekedBody body(pieces);
  CHECK(*body.Peek(1) == "a");
  CHECK(*body.Peek(4) == "abcdef");
  body.Skip(2);
  CHECK(*body.Peek(3) == "cdef");
  CHECK(Rest(body) == "cdefg");
}

TEST_CASE("a short body may be peeked at, skipped and read to its end") {
  Pieces pieces({"ab"});
  PeekedBody body(pieces);
  CHECK(*body.Peek(10) == "ab");
  body.Skip(2);
  CHECK(body.Peek(10)->empty());
  CHECK(Rest(body).empty());
  CHECK(body.Read()->empty());
}

}  // namespace
}  // namespace chartly::drone
